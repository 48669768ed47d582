// dlm: a compiled plan, replayed by the runtime. Arguments: the bundled runtime, the plan, the device.
// Training goes through the runtime's public door (load, loadWeights, train). An export's program is replayed on the machine itself, so that inputs stay
// on the device and results are read once, as with the peers.
import { readFileSync } from "node:fs";
import { toSafetensors } from "../tensors.mjs";
import { count, counted } from "./device.mjs";
import { meanSquare, serve } from "./side.mjs";

const [bundle, planFile, wanted] = process.argv.slice(2);
const { load, Machine, openDevice } = await import(bundle);
let device;
if (process.env.BENCH_RECORD) device = new (await import("../lab/recorder.mjs")).Device();
else {
  const opened = await openDevice(wanted);
  counted.device = opened.facts.name;
  count(globalThis); // its classes are there since the device was opened
  ({ device } = opened);
}

const bytesOf = (port) => 4 * port.shape.reduce((a, b) => a * b, 1);

async function functionSide(plan, workload, tensors) {
  const { program, inputs, outputs } = plan.exports.find((x) => x.name === workload.run);
  const machine = new Machine(plan, device);
  const recording = await machine.record(program, {});
  const sizes = new Map();
  for (const p of [...inputs, ...outputs])
    sizes.set(p.buffer, Math.max(sizes.get(p.buffer) ?? 0, p.offset + bytesOf(p)));
  const states = plan.states.filter((t) => tensors[t.name]);
  for (const t of states) sizes.set(t.buffer, Math.max(sizes.get(t.buffer) ?? 0, t.offset + bytesOf(t)));
  await machine.allocate(sizes);
  for (const t of states) machine.write(t.buffer, t.offset, tensors[t.name].values);
  for (const p of inputs) machine.write(p.buffer, p.offset, tensors[p.name].values);
  return {
    steps: async (n) => {
      const encoder = machine.encoder(program.name);
      machine.replay(encoder, recording, n);
      encoder.submit();
      await machine.settle(device.queue.onSubmittedWorkDone());
    },
    value: async () => {
      const parts = await machine.read(outputs.map((p) => ({ buffer: p.buffer, offset: p.offset, bytes: bytesOf(p) })));
      return meanSquare(parts.map((bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)));
    },
  };
}

async function trainingSide(plan, workload, tensors) {
  const host = Object.fromEntries(
    workload.batches.map(({ name }) => [name, { data: tensors[name].values, shape: tensors[name].shape }]),
  );
  const model = await load(plan, { device, host });
  const parameters = Object.fromEntries(workload.parameters.map(({ name }) => [name, tensors[name]]));
  await model.loadWeights(toSafetensors(parameters));
  let loss;
  return {
    steps: async (n) => void ({ loss } = await model.train("fit", { stopAfter: n })),
    value: async () => loss,
  };
}

await serve((workload, tensors) => {
  const plan = JSON.parse(readFileSync(planFile, "utf8"));
  return workload.run ? functionSide(plan, workload, tensors) : trainingSide(plan, workload, tensors);
});
