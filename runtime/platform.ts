// Types of the platform where the program that uses dlm knows them (`@webgpu/types`, a dom library, Node's types), so that one without them type-checks too.
type Known<Name extends string, Otherwise> = typeof globalThis extends { [N in Name]: { prototype: infer Type } }
  ? Type
  : Otherwise;
export type Device = Known<"GPUDevice", object>;
export type Adapter = Known<"GPUAdapter", object>;
export type AdapterInfo = Known<"GPUAdapterInfo", object>;
export type Pipeline = Known<"GPUComputePipeline", object>;
export type Signal = Known<"AbortSignal", { readonly aborted: boolean }>;
