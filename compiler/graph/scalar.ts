// The door to scalars: constructors, the only way to make one. They hash-cons and keep the normal forms of types.ts: integers are affine over
// atoms, guards float outward, loads are in range or have an outside value.
export * from "./forms.ts";
export { asScalar, axis, boolean, dim, extentKey, literal, local, sameExtent, unionScans, variable } from "./leaves.ts";
export { isUsed } from "./calls.ts";
export * from "./integers.ts";
export * from "./conditions.ts";
export * from "./arithmetic.ts";
export * from "./loads.ts";
export * from "./substitute.ts";
export { bottomUp, contains, dependsOnData, holdsLoad, operandsOf, scalarOrder, someScalar, visit } from "./walk.ts";
export type { Interval } from "./types.ts";
