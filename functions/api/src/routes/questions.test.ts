/** Files of questions, checked before a job is made. */
import { FileObject, ValidationReport } from '@polyprompt/contract';
import { expect, it } from 'vitest';
import { testService } from '../testing/test-service.ts';

const { app, key, ask } = await testService();
const secret = await key('acme', 'tune');

const context = 'The Nile is 6650 km long.';
const qas = [
  { id: '1', question: 'How long?', answers: [{ text: '6650 km', answer_start: 12 }] },
  { id: '2', question: 'Which river?', answers: [{ text: 'Nile', answer_start: 5 }] },
  { id: '3', question: 'Which sea?', answers: [{ text: 'Red Sea', answer_start: 0 }] },
];
const DOCUMENT = JSON.stringify({ data: [{ paragraphs: [{ context, qas }] }] }, null, 1);

async function send(path: string, fields: Record<string, string>) {
  const form = new FormData();
  form.append('file', new File([DOCUMENT], 'squad.json'));
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  const headers = { authorization: `Bearer ${secret}` };
  return (await app.request(path, { method: 'POST', headers, body: form })).json();
}

const found = {
  valid: false,
  task: 'question-answering',
  examples: 1,
  labels: { answerable: 1 },
  errors: 2,
  issues: [
    {
      code: 'misplaced_answer',
      line: 18,
      path: 'data[0].paragraphs[0].qas[1].answers[0]',
      suggestion: expect.stringContaining('set answer_start to 4'),
    },
    { code: 'answer_not_in_context', line: 28, excerpt: 'Which sea?' },
  ],
};

it('in a form', async () => {
  const report = await send('/v1/files/validate', { task: 'question-answering' });
  expect(ValidationReport.parse(report)).toMatchObject(found);
});

it('from the store', async () => {
  const { id } = FileObject.parse(await send('/v1/files', { purpose: 'fine-tune' }));
  const body = { file_id: id, task: 'question-answering' };
  const wanted = { schema: ValidationReport };
  expect(await ask(wanted, secret, 'POST', '/v1/files/validate', body)).toMatchObject(found);
});
