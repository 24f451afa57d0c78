import { describe, expect, it } from 'vitest';
import { Admission } from './admission.ts';

const limits = { inputs: 4, pendingInputs: 10, tenantInputs: 6 };
const overloaded = expect.objectContaining({ name: 'ServingError', code: 'overloaded' });

describe('Admission', () => {
  it('refuses at once when full, and lets in again when somebody leaves', () => {
    const admission = new Admission(limits);
    const leave = admission.enter('a', 4);
    admission.enter('b', 4);
    expect(() => admission.enter('c', 3)).toThrow('8 inputs are at work, the limit is 10');
    expect(() => admission.enter('c', 3)).toThrow(overloaded);
    admission.enter('c', 2);
    leave();
    admission.enter('c', 3);
    expect(admission.stats()).toEqual({ pending: 9, refused: 2 });
  });

  it('keeps room for other tenants', () => {
    const admission = new Admission(limits);
    admission.enter('a', 4);
    expect(() => admission.enter('a', 3)).toThrow('4 inputs of this tenant are at work');
    expect(() => admission.enter('b', 3)).not.toThrow();
  });

  it('refuses a request that could never be let in by another name', () => {
    const many = () => new Admission(limits).enter('a', 5);
    expect(many).toThrow(expect.objectContaining({ code: 'too_many_inputs' }));
    expect(many).toThrow('5 inputs in one request, the limit is 4');
  });
});
