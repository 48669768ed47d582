// dlm's runtime: replays a plan on a WebGPU device, in Node and in browsers. In: a Plan and a device. Out: a model that trains, is measured,
// is used and is kept. It knows no graph, no shapes and no layers: what is to be done stands in the plan.
import type { LoadOptions, Model } from "./api.ts";
import type { Plan } from "./plan.ts";
import { RuntimeProblem } from "./problem.ts";

export type * from "./api.ts";
export type { Plan } from "./plan.ts";
export { RuntimeProblem } from "./problem.ts";

/**
 * Checks the plan against the device, reads the data, makes buffers and pipelines, and gives every parameter its initial value.
 * Everything that can be wrong with plan, data or device ends in a RuntimeProblem.
 */
export async function load(plan: Plan, options: LoadOptions): Promise<Model> {
  void plan, options;
  throw new RuntimeProblem("the runtime is being written");
}
