// 16-bit floats as bit patterns in Uint16Array, to and from float32. Widening is exact and keeps
// NaN payloads; narrowing rounds to nearest, ties to even (IEEE 754 default).

let halfTable: Uint32Array | undefined;

function widenHalf(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (mantissa << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (mantissa << 13);
  if (mantissa === 0) return sign;
  // Subnormal half = normal float32: shift the leading one up to the hidden bit's place.
  const shift = Math.clz32(mantissa) - 21;
  return sign | ((113 - shift) << 23) | (((mantissa << shift) & 0x3ff) << 13);
}

function narrowToHalf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    // Rounding may carry into the exponent; from 65520 up that carry yields infinity, as it must.
    const rebased = magnitude - 0x38000000;
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  if (magnitude < 0x33000000) return sign;
  const shift = 126 - (magnitude >>> 23);
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const kept = mantissa >>> shift;
  const dropped = mantissa & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  return sign | (kept + (dropped > tie || (dropped === tie && (kept & 1) === 1) ? 1 : 0));
}

/** float16 bits to float32, exact. */
export function float16ToFloat32(halves: Uint16Array): Float32Array {
  if (halfTable === undefined) {
    halfTable = new Uint32Array(0x10000);
    for (let half = 0; half < 0x10000; half++) halfTable[half] = widenHalf(half);
  }
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halfTable[halves[i]!]!;
  return new Float32Array(bits.buffer);
}

/** float32 to float16 bits, to nearest even; from 65520 up the result is infinity. */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) halves[i] = narrowToHalf(bits[i]!);
  return halves;
}

/** bfloat16 bits to float32, exact. */
export function bfloat16ToFloat32(brains: Uint16Array): Float32Array {
  const bits = new Uint32Array(brains.length);
  for (let i = 0; i < brains.length; i++) bits[i] = brains[i]! << 16;
  return new Float32Array(bits.buffer);
}

/** float32 to bfloat16 bits, to nearest even. */
export function float32ToBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const brains = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const pattern = bits[i]!;
    const nan = (pattern & 0x7fffffff) > 0x7f800000;
    brains[i] = nan ? (pattern >>> 16) | 0x40 : (pattern + 0x7fff + ((pattern >>> 16) & 1)) >>> 16;
  }
  return brains;
}
