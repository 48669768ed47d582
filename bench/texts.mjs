// What run.mjs and gpu-build.mjs bundle of dlm.
export const runtimeText = `export { load } from "./runtime/index.ts"; export { Machine } from "./runtime/machine.ts"; export { openDevice } from "./runtime/node.ts"; export { cachedDriver } from "./runtime/embedded.ts"; export { targetOf } from "./compiler/cli/device.ts";`;
export const compilerText = `export { compile } from "./compiler/compile.ts"; export { targets } from "./compiler/kernel/target.ts";`;
