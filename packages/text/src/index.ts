export { CodePoints, OFFSET_UNITS, type OffsetUnit } from './code-points.ts';
export { fromUnit, toUnit } from './offsets.ts';
