// WebGPU's own types where the program that uses dlm has them (`@webgpu/types`, or a dom library that knows WebGPU), so that one without them type-checks too.
export type Device = typeof globalThis extends { GPUDevice: { prototype: infer Type } } ? Type : object;
export type Adapter = typeof globalThis extends { GPUAdapter: { prototype: infer Type } } ? Type : object;
