// In the frame, in the place of a compiled model's trainer.mjs: the plans come from the playground around it. In: one message. Out: what the page of a model imports.
import type { TrainOptions } from "../../runtime/api.ts";
import type { Plan } from "../../runtime/plan.ts";
import type { TrainerModel, TrainerOptions } from "../../runtime/trainer-api.ts";
import { tuner } from "../../runtime/tune.ts";
import { givenModel, planApart } from "./around.ts";
import { Layers } from "./layers.ts";
import { OriginCard } from "./origin.ts";
import { browserDevice, createTrainer, fetchFile as fetchFrom, host } from "./runtime.mjs";

const given = await givenModel();
const [first, ...further] = given.plans;
export const plan = first!; // whoever asks for plans gets one for each target
const origin = { url: given.data };
const others = Object.fromEntries(further.map((other) => [other.target, () => other]));
const trainer = createTrainer(plan, origin, host, others, tuner);
const layers = new Layers();
const began = new OriginCard();
export const fetchFile = async (path: string): Promise<Uint8Array> => given.files[path] ?? fetchFrom(origin, path);
export { browserDevice };

export async function load(options: TrainerOptions = {}): Promise<TrainerModel> {
  const model = await trainer.load(options);
  const { keep: _, fitting: __, onEvent: ___, ...rest } = options;
  const loadPlan = (other: Plan): Promise<TrainerModel> => createTrainer(other, origin, host).load(rest);
  const clear = (): void => {
    layers.clear();
    began.clear();
  };
  const train = async (name?: string, asked: TrainOptions = {}): ReturnType<TrainerModel["train"]> => {
    began.clear();
    const onProgress: TrainOptions["onProgress"] = (event) => asked.onProgress?.(layers.take(event));
    try {
      return await model.train(name, { ...asked, onProgress });
    } catch (error) {
      void began.tell(error, model, name, asked, loadPlan, planApart).catch(clear);
      throw error;
    }
  };
  const reset = (): Promise<void> => {
    clear();
    return model.reset();
  };
  const watched: TrainerModel = Object.assign(Object.create(model), { train, reset });
  return watched;
}

const title = plan.name.replace(/\.dlm$/, "");
document.title = title;
document.querySelector("h1")!.textContent = title;
document.querySelector("main")!.setAttribute("aria-label", `Run of ${title}`); // the playground around it has a main part too
