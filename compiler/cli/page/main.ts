// The page of a compiled model: trains it, uses it, shows its data and its weights. In: trainer.mjs beside it. Out: what people see.
import { isSoftware } from "../../../runtime/classes.ts";
import type { DeviceFacts } from "../../../runtime/device.ts";
import type { Plan } from "../../../runtime/plan.ts";
import { element, make, problem, say } from "./dom.ts";
import { DataView } from "./data.ts";
import { Files } from "./files.ts";
import { Session, type Trainer } from "./session.ts";
import { Training } from "./training.ts";
import { Panel } from "./use.ts";
import { WeightsView } from "./weights.ts";

const state = (text: string): void => void (document.documentElement.dataset["state"] = text);

function showDevice(facts: DeviceFacts): void {
  const { name, vendor, architecture, subgroupSize } = facts;
  const about = [vendor, architecture].filter((word) => word && !name.toLowerCase().includes(word.toLowerCase()));
  const sizes = subgroupSize ? [...new Set([subgroupSize.least, subgroupSize.most])].join(" to ") : "";
  element("device").textContent = [name, about.join(" "), sizes ? `subgroups of ${sizes}` : ""]
    .filter(Boolean)
    .join(" · ");
  element("software").hidden = !isSoftware(facts);
}
async function open(): Promise<void> {
  const place = "./trainer.mjs";
  const trainer = (await import(place)) as Trainer; // made by the same compiler
  showSource(trainer);
  if (!trainer.plan.trains.length && !trainer.plan.exports.length) return say("This model has nothing to run.");
  const { facts, close } = await trainer.browserDevice();
  close();
  showDevice(facts);
  const session = new Session(trainer);
  const files = new Files(
    session.plan,
    () => {
      say("Ready");
      void prepare();
    },
    (file) => void weights.load(file),
  );
  const training = new Training(session, files, facts);
  const panels = session.uses.map((use) => new Panel(session, use));
  const data = new DataView(session);
  const weights = new WeightsView(session, () => training.load());
  element("use").append(...panels.map((panel) => panel.node));
  element("use").hidden = !panels.length;
  element("left").hidden = !panels.length && !session.fields.length;
  element("work").classList.toggle("plain", (!panels.length && !session.fields.length) || !session.plan.trains.length);
  element("weights").hidden = !session.plan.states.some((s) => s.kind === "parameter");
  element("training").hidden = element("curves").hidden = !session.plan.trains.length;
  let shown = -Infinity;
  session.onModel(() => {
    if (session.model) showKernels(session.model.plan);
    for (const panel of panels) void panel.learn();
    data.learn();
    weights.refresh();
    void weights.fromPlaces();
  });
  session.onWeights(() => {
    for (const panel of panels) panel.refresh();
    // these ask for much at once
    if (performance.now() - shown < 4000 && Panel.busy) return;
    shown = performance.now();
    data.refresh();
    weights.refresh();
  });
  element("layers-details").addEventListener("toggle", () => weights.refresh());
  const prepare = async (): Promise<void> => {
    if (!files.isComplete) return;
    const loaded = await training.prepare();
    document.documentElement.dataset["model"] = loaded ? "loaded" : "none";
  };
  say("Ready");
  state("ready");
  await prepare();
}
/** The kernels of this plan: those for the visitor's device, once there is a model on it. */
function showKernels({ modules }: Plan): void {
  const select = element("kernel", "select");
  const { value } = select;
  select.replaceChildren(...modules.map(({ name }) => make("option", name, { value: name })));
  if (modules.some(({ name }) => name === value)) select.value = value;
  select.onchange = () => {
    element("kernel-text").textContent = modules.find(({ name }) => name === select.value)?.code ?? "";
  };
  select.onchange(new Event("change"));
}
function showSource({ plan }: Trainer): void {
  element("source-text").textContent = plan.source;
  element("source").hidden = plan.source === "";
  showKernels(plan);
  const comment = /^\s*((?:#.*\n?)+)/.exec(plan.source)?.[1]; // that the model's file opens with: its first sentence
  const about = comment
    ?.replace(/^#+ ?/gm, "")
    .replace(/\s+/g, " ")
    .trim()
    .replace(/(?<=[.!?]) .*/, "");
  element("about").textContent = about ?? "";
  element("about").hidden = !about;
}

try {
  await open();
} catch (error) {
  element("device").textContent = "";
  element("start", "button").disabled = true;
  problem("This page cannot train here", error);
  say("Not ready");
  state("problem");
}
