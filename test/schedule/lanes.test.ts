// Small models train in the registers of one subgroup: the same states as the evaluator's, without a barrier.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { targetOf } from "../../compiler/cli/device.ts";
import type { Target } from "../../compiler/kernel/target.ts";
import type { Plan } from "../../runtime/plan.ts";
import { testDevice } from "../device.ts";
import { compareTraining } from "../device/training.ts";
import { randomProgram, type RandomProgram } from "../fuzz/programs.ts";
import { cases, firstSeed } from "../fuzz/random.ts";

const points =
  "data points { rows: 24 field x: f32[3] = normal[3] field y: i32 in 0..5 = randint(0, 5)[] field z: f32[2] = [x[0] * x[1], sin(x[2])] }\n";
const models: Record<string, string> = {
  "a batch that fills no register, momentum": `${points}model net(x: f32[B, 3]) -> f32[B, 2] = x |> Linear(7, act: tanh) |> Linear(2)
train fit on points(batch: 3, shuffle: false) { minimize mse(net(x), z) by sgd(lr: 0.1, momentum: 0.9) steps: 10 }`,
  "rows beyond one register, maxima and sums over classes, adam": `${points}model net(x: f32[B, 3]) -> f32[B, 5] = x |> Linear(6, act: relu) |> Linear(5)
train fit on points(batch: 6, shuffle: false) { minimize cross_entropy(net(x), y) by adam(lr: 1e-2) metric acc = accuracy(net(x), y) steps: 10 }`,
  "one weight": `${points}model net(x: f32[B, 3]) -> f32[B] { param w: f32[] ~ ones
  return w * x[:, 0] }
train fit on points(batch: 8, shuffle: false) { minimize mse(net(x), z[:, 0]) by sgd(lr: 0.1) steps: 10 }`,
  "draws, a penalty and clipping": `${points}model net(x: f32[B, 3]) -> f32[B, 2] = x |> Linear(5, act: tanh) |> Dropout(0.25) |> Linear(2)
train fit on points(batch: 4, seed: 3, shuffle: false) {
  minimize mse(net(x), z) + 1e-2 * l2(net) by clip_norm(0.5) >> sgd(lr: 0.1)
  steps: 10
}`,
  "neighbours, shifted and turned": `${points}model net(x: f32[B, 3]) -> f32[B, 3] { param k: f32[2] ~ uniform(-1, 1)
  return for b, i in 0..3: (sum over j: k[j] * (x[b, i + j - 1] ?? 0.5)) + x[b, 2 - i] }
train fit on points(batch: 5, shuffle: false) { minimize mean(net(x)^2) by sgd(lr: 0.1) steps: 10 }`,
};
/** What takes the driver long is tried, too. */
const patient = (target: Target): Target => ({ ...target, compile: { ...target.compile, limit: 3000 } });
const inRegisters = (plan: Plan): boolean =>
  plan.modules.some(
    (m) => m.code!.includes("in one launch") && m.code!.includes("enable subgroups") && !m.code!.includes("Barrier"),
  );
const stepCode = (source: string): string => {
  const { plan, diagnostics } = compile(source, { name: "model.dlm", target: "lavapipe" });
  if (!plan) throw new Error(diagnostics.map((d) => d.message).join("\n"));
  return plan.modules.map((m) => m.code!).find((code) => code.includes("in one launch")) ?? "";
};
describe("small models in the registers of a subgroup", () => {
  for (const [name, source] of Object.entries(models))
    test(name, async () => {
      const { device, facts } = await testDevice();
      expect(inRegisters(await compareTraining(source, device, { steps: 7, target: patient(targetOf(facts)) }))).toBe(
        true,
      );
    });
});
test("networks of all sizes", async () => {
  const { device, facts } = await testDevice();
  const size = fc.integer({ min: 1, max: 9 });
  await fc.assert(
    fc.asyncProperty(
      size,
      size,
      size,
      size,
      fc.constantFrom("relu", "tanh", "sigmoid"),
      async (inputs, hidden, outputs, batch, act) => {
        const source = `data d { rows: 20 field x: f32[${inputs}] = normal[${inputs}] field y: f32[${outputs}] = normal[${outputs}] }
model net(x: f32[B, ${inputs}]) -> f32[B, ${outputs}] = x |> Linear(${hidden}, act: ${act}) |> Linear(${outputs})
train fit on d(batch: ${batch}, shuffle: false) { minimize mse(net(x), y) by sgd(lr: 0.05) steps: 10 }`;
        await compareTraining(source, device, { steps: 3, target: targetOf(facts) });
      },
    ),
    { seed: firstSeed, numRuns: cases(10) },
  );
});
test("random programs, trained", async () => {
  const { device, facts } = await testDevice();
  const target = patient(targetOf(facts));
  let count = 0;
  for (let seed = firstSeed; seed < firstSeed + cases(40); seed++) {
    const plan = await compareTraining(trained(randomProgram(seed)), device, { steps: 2, tolerance: 1e-3, target });
    if (inRegisters(plan)) count++;
  }
  expect(count).toBeGreaterThan(cases(40) / 4);
});
/** A random function's objective, minimized over its inputs. */
function trained({ text, inputs }: RandomProgram): string {
  const body = /^export fn forward\(.*\) \{\n([^]*?) {2}return /.exec(text)![1]!;
  const given = inputs.map(({ name, shape, dtype, end }) => {
    if (dtype === "f32") return `  param ${name}: f32[${shape.join(", ")}] ~ uniform(-1, 1)`;
    const axes = shape.map((n, d) => `i${d} in 0..${n}`);
    return `  let ${name} = for ${axes.join(", ")}: (${shape.map((_, d) => `${d + 2} * i${d}`).join(" + ")}) % ${end}`;
  });
  return `model net() -> f32[] {\n${given.join("\n")}\n${body}  return loss\n}\ntrain fit { minimize net() by sgd(lr: 0.01)\n  steps: 5 }\n`;
}
test("the text of a step", () => {
  expect(
    stepCode(
      "data d { rows: 8 field x: f32[2] = normal[2] }\nmodel net(x: f32[B, 2]) -> f32[B] { param w: f32[2] ~ ones\n  return for b: sum over k: x[b, k] * w[k] }\ntrain fit on d(batch: 4, shuffle: false) { minimize mean((net(x) - 1)^2) by sgd(lr: 0.1) steps: 10 }",
    ),
  ).toMatchInlineSnapshot(`
    "// fit.step: as many whole steps as \`rounds\` says, in one launch
    // element e of a tensor of the step is held by lane e mod 8, in its register e / 8
    enable subgroups;

    @group(0) @binding(0) var<storage, read> index_: array<i32>;
    @group(0) @binding(1) var<storage, read_write> step_: array<i32>;
    @group(0) @binding(2) var<storage, read> seed: array<i32>;
    @group(0) @binding(3) var<storage, read_write> net_w: array<f32>;
    @group(0) @binding(4) var<storage, read_write> ring: array<f32>;
    @group(0) @binding(5) var<uniform> rounds: u32;

    fn dlm_multiply_high(a: u32, b: u32) -> u32 {
      let al = a & 0xffffu;
      let ah = a >> 16u;
      let bl = b & 0xffffu;
      let bh = b >> 16u;
      let t = ah * bl + ((al * bl) >> 16u);
      let u = al * bh + (t & 0xffffu);
      return ah * bh + (t >> 16u) + (u >> 16u);
    }

    fn dlm_philox(seed: i32, site: u32, step: i32, block: u32) -> vec4u {
      var c = vec4u(block, u32(step), 0u, 0u);
      var k = vec2u(u32(seed), site);
      for (var i = min(i32(block), 0); i < 10; i++) {
        c = vec4u(dlm_multiply_high(0xcd9e8d57u, c.z) ^ c.y ^ k.x, 0xcd9e8d57u * c.z, dlm_multiply_high(0xd2511f53u, c.x) ^ c.w ^ k.y, 0xd2511f53u * c.x);
        k += vec2u(0x9e3779b9u, 0xbb67ae85u);
      }
      return c;
    }

    fn dlm_near_angle(x: f32) -> vec2f {
      let k = round(clamp(x, -8192.0, 8192.0) * 0.63661977);
      return vec2f((((x - k * 1.5703125) - k * 0.00048375129699707031) - k * 7.5495336e-8) - k * 2.5633442e-12, k);
    }

    fn dlm_turn(angle: vec2f) -> vec2f {
      let r = angle.x;
      let q = r * r;
      let s = r + r * q * (-0.16666655 + q * (0.0083321609 - q * 0.00019515296));
      let c = 1.0 - 0.5 * q + q * q * (0.041666646 + q * (-0.0013887316 + q * 2.4433157e-5));
      let n = i32(angle.y) & 3;
      let swapped = (n & 1) == 1;
      let a = select(s, c, swapped);
      let b = select(c, s, swapped);
      return vec2f(select(a, -a, n >= 2), select(b, -b, n == 1 || n == 2));
    }

    fn dlm_near_cos(x: f32) -> f32 {
      return dlm_turn(dlm_near_angle(x)).y;
    }

    fn dlm_normal(seed: i32, site: u32, step: i32, e: u32) -> f32 {
      let words = dlm_philox(seed, site, step, e / 2u);
      let at = 2u * (e % 2u);
      let u = f32(words[at] >> 8u) * 0x1p-24f;
      let v = f32(words[at + 1u] >> 8u) * 0x1p-24f;
      return sqrt(max(-2.0 * log(1.0 - u), 0.0)) * dlm_near_cos(6.2831853 * v);
    }

    @compute @workgroup_size(8)
    fn main(@builtin(subgroup_invocation_id) lane_index: u32) {
      let lane = i32(lane_index);
      var step_now = step_[0];
      var net_w_now = net_w[min(lane, 1)];
      let seed_1 = seed[0];
      let source = (0x3020100u >> (lane_index * 4u)) & 15u;
      let source_1 = (0x30201000u >> (lane_index * 4u)) & 15u;
      let some = ((0xaau >> lane_index) & 1u) == 1u;
      let source_2 = (0x6420u >> (lane_index * 4u)) & 15u;
      let below_4 = lane < 4;
      let source_3 = (0x7531u >> (lane_index * 4u)) & 15u;
      let lane_1 = lane == 1;
      let lane_0 = lane == 0;
      for (var round = 0u; round < rounds; round++) {
        // model.dlm:1, model.dlm:4, model.dlm:3: d; net
        // sum = sum(k < 2) net_w[k] * normal[index_[step_ mod 1024, i], k]
        // x[i, k] = normal[index_[step_ mod 1024, i], k] for k < 2
        // values[i] = sum
        let r = step_now % 1024;
        let at = index_[lane + r * 4] * 2;
        let draw = dlm_normal(seed_1, 3739988224u, 0, u32(at));
        let draw_1 = dlm_normal(seed_1, 3739988224u, 0, u32(at + 1));
        let x_2 = select(subgroupShuffle(draw, source), subgroupShuffle(draw_1, source_1), some);
        // model.dlm:4, model.dlm:2: net, gradient of w; fit.minimize1 (sgd), update of net.w
        // sum = sum(k < 4) x[k, i] * (values[k] - 1) * 0.5
        // net_w[i] = net_w[i] - sum * 0.1
        let v_2 = subgroupBroadcast(net_w_now, 0u) * draw + subgroupBroadcast(net_w_now, 1u) * draw_1 - 1.0;
        let v_3 = v_2 * 0.5;
        let d_net_w_2 = select(subgroupAdd(select(0.0, subgroupShuffle(x_2, source_2) * v_3, below_4)), subgroupAdd(select(0.0, subgroupShuffle(x_2, source_3) * v_3, below_4)), lane_1);
        // model.dlm:4: fit, update of step
        // sum = sum(k < 4) e0 * e0
        //   where e0 = values[k] - 1
        // numbers[1] = sum * 0.25
        // ring[step_ mod 1024, 0] = sum * 0.25
        // step_ = step_ + 1
        let ring_at = r;
        let new_ring = subgroupAdd(select(0.0, v_2 * v_2, below_4)) * 0.25;
        if (lane_0) {
          ring[ring_at] = new_ring;
        }
        let step_now_next = step_now + 1;
        let net_w_now_next = net_w_now - d_net_w_2 * 0.1;
        step_now = step_now_next;
        net_w_now = net_w_now_next;
      }
      if (lane == 0) {
        step_[0] = step_now;
      }
      if (lane < 2) {
        net_w[lane] = net_w_now;
      }
    }
    "
  `);
});
test("what does not fit goes through memory, as before", () => {
  const wide = stepCode(`${points}model net(x: f32[B, 3]) -> f32[B, 2] = x |> Linear(64, act: tanh) |> Linear(2)
train fit on points(batch: 8, shuffle: false) { minimize mse(net(x), z) by sgd(lr: 0.1) steps: 10 }`);
  expect(wide).not.toMatch(/enable subgroups/);
});
