// Whether invocations may exchange values by operations of subgroups. WGSL does not promise that neighbours by local_invocation_index are neighbours in a
// subgroup: each device is asked once.
const known = new WeakMap<GPUDevice, Promise<boolean>>();
const mostLanes = 32;
const bytes = 2048;

/** Do so many neighbours, the first of which has a multiple of that for its index, lie in one subgroup, in their order? */
export async function areTogether(device: GPUDevice, lanes: number): Promise<boolean> {
  const { subgroupMinSize = 0 } = (device.adapterInfo ?? {}) as Partial<GPUAdapterInfo>; // young in browsers
  if (!device.features.has("subgroups") || subgroupMinSize < lanes) return false;
  let found = known.get(device);
  if (!found) known.set(device, (found = ask(device, Math.min(subgroupMinSize, mostLanes)).catch(() => false)));
  return found;
}
/** Each invocation of workgroups of n says at n and its index how many values came from where they should. */
async function ask(device: GPUDevice, lanes: number): Promise<boolean> {
  const code = `enable subgroups;
override n: u32;
@group(0) @binding(0) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(n)
fn main(@builtin(local_invocation_index) i: u32) {
for (var k = 1u; k < ${lanes}; k *= 2) { y[n + i] += u32(subgroupShuffleXor(i, k) == (i ^ k)); }
}`;
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code });
  const error = await device.popErrorScope();
  if (error) return false;
  const pipelines = await Promise.all(
    [32, 64, 128, 256].map((n) =>
      device.createComputePipelineAsync({ layout: "auto", compute: { module, constants: { n } } }),
    ),
  );
  const [buffer, read] = [132, 9].map((usage) => device.createBuffer({ size: bytes, usage })) as [GPUBuffer, GPUBuffer];
  try {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const pipeline of pipelines) {
      pass.setPipeline(pipeline);
      const entries = [{ binding: 0, resource: { buffer } }];
      pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
      pass.dispatchWorkgroups(1);
    }
    pass.end();
    encoder.copyBufferToBuffer(buffer, 0, read, 0, bytes);
    device.queue.submit([encoder.finish()]);
    await read.mapAsync(1);
    return new Uint32Array(read.getMappedRange()).every((n, i) => n === (i < 32 ? 0 : Math.log2(lanes)));
  } finally {
    for (const b of [buffer, read]) b.destroy();
  }
}
