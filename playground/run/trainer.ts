// In the frame, in the place of a compiled model's trainer.mjs: the plans come from the playground around it. In: one message. Out: what the page of a model imports.
import { browserDevice, createTrainer, fetchFile as fetchFrom, host } from "./runtime.mjs";
import type { Given } from "./given.ts";

const given = await new Promise<Given>((resolve) => {
  addEventListener("message", ({ data, source, origin }: MessageEvent<Given>) => {
    if (source === parent && origin === location.origin && "plans" in data) resolve(data);
  });
  parent.postMessage("ready", location.origin);
});
const [first, ...further] = given.plans;
export const plan = first!; // whoever asks for plans gets one for each target
const origin = { url: given.data };
const others = Object.fromEntries(further.map((other) => [other.target, () => other]));
const trainer = createTrainer(plan, origin, host, others);
export const { load } = trainer;
export const fetchFile = async (path: string): Promise<Uint8Array> => given.files[path] ?? fetchFrom(origin, path);
export { browserDevice };

const title = plan.name.replace(/\.dlm$/, "");
document.title = title;
document.querySelector("h1")!.textContent = title;
