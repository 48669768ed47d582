// The door to nodes: constructors, the only way to make one, and walks over them. A constructor may return another node than asked for.
export { elementCount, factorsOf, gradientMeta, nameNode, sameElementCount, sameShape, type Meta } from "./shape.ts";
export { constant, reshape, source } from "./sources.ts";
export { compute, type ReductionOver } from "./compute.ts";
export { withRange } from "./finish.ts";
export * from "./bodies.ts";
export { scatter } from "./scatter.ts";
export * from "./scans.ts";
export { baseOf, inputs, levelInputs, loadsIn, rootsOf, tensorsOf, topological, withinProgram } from "./walk.ts";
