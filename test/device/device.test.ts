// A device comes from `npm ci` alone: chosen, unpacked, computing, closed.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testDevice } from "../device.ts";

const folder = mkdtempSync(join(tmpdir(), "dlm-device-"));
const bundle = join(import.meta.dirname, `../../node_modules/.dlm-device-${process.pid}.mjs`); // where `webgpu` can be resolved
beforeAll(async () => {
  await build({
    entryPoints: [join(import.meta.dirname, "program.ts")],
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: bundle,
    packages: "external",
    logLevel: "error",
  });
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  rmSync(bundle, { force: true });
});

interface Outcome {
  readonly status: number | null;
  readonly output: string;
}
const start = (environment: Record<string, string>, ...args: string[]): Promise<Outcome> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [bundle, ...args], {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 300_000,
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.on("close", (status) => resolve({ status, output: output.trim() }));
  });

test("the tests' device computes", async () => {
  const { device, facts } = await testDevice();
  expect(facts.limits["maxComputeInvocationsPerWorkgroup"]).toBe(device.limits.maxComputeInvocationsPerWorkgroup);
  const module = device.createShaderModule({
    code: `@group(0) @binding(0) var<storage, read_write> y: array<f32>; @compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = f32(id.x * id.x); }`,
  });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
  const buffer = device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
  const read = device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer } }] }),
  );
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(buffer, 0, read, 0, 16);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(GPUMapMode.READ);
  expect([...new Float32Array(read.getMappedRange())]).toEqual([0, 1, 4, 9]);
});

test.runIf(process.platform === "linux" && process.arch === "x64")(
  "without a driver: the embedded device, unpacked once by concurrent starts, and the process exits by itself",
  async () => {
    const environment = { VK_DRIVER_FILES: "/nonexistent", DLM_DEVICE: "", DLM_CACHE: join(folder, "cache") };
    const outcomes = await Promise.all([start(environment), start(environment), start(environment)]);
    for (const outcome of outcomes) expect(outcome).toEqual({ status: 0, output: "embedded" });
    expect(readdirSync(join(folder, "cache"))).toHaveLength(1);
    expect(await start(environment, "gpu")).toEqual({
      status: 1,
      output: expect.stringContaining('no "gpu" device was found') as string,
    });
    expect((await start(environment, "no such thing")).output).toContain('no "no such thing" device was found');
    expect(await start({ ...environment, DLM_CACHE: "/dev/null/cache" })).toEqual({
      status: 1,
      output: expect.stringContaining(
        "DLM_CACHE=FOLDER names a folder that you and nobody else can write to",
      ) as string,
    });
  },
);

test("a device works on when all that came with it is collected", async () => {
  const { choice } = await testDevice();
  expect(await start({}, choice, "kept")).toEqual({ status: 0, output: "kept" });
});
