// The page of a compiled model: trains it, uses it, shows its data and its weights. In: trainer.mjs beside it. Out: what people see.
import type { DeviceFacts } from "../../../runtime/device.ts";
import { element, make, problem, say } from "./dom.ts";
import { DataView } from "./data.ts";
import { Files } from "./files.ts";
import { Session, type Trainer } from "./session.ts";
import { Training } from "./training.ts";
import { Panel } from "./use.ts";
import { WeightsView } from "./weights.ts";

const state = (text: string): void => void (document.documentElement.dataset["state"] = text);

/** What a browser calls its devices that are programs. */
const programs = /swiftshader|llvmpipe|lavapipe|softpipe|warp|basic render|software/i;
interface Found {
  readonly facts: DeviceFacts;
  readonly software: boolean;
}
async function findDevice({ browserDevice }: Pick<Trainer, "browserDevice">): Promise<Found> {
  const { facts, close } = await browserDevice();
  close();
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" }).catch(() => null);
  const fallback = adapter?.info.isFallbackAdapter ?? false;
  return { facts, software: fallback || programs.test(`${facts.name} ${facts.architecture} ${facts.vendor}`) };
}
function showDevice({ facts, software }: Found): void {
  const { name, vendor, architecture, subgroupSize } = facts;
  const about = [vendor, architecture].filter((word) => word && !name.toLowerCase().includes(word.toLowerCase()));
  const sizes = subgroupSize ? [...new Set([subgroupSize.least, subgroupSize.most])].join(" to ") : "";
  element("device").textContent = [name, about.join(" "), sizes ? `subgroups of ${sizes}` : ""]
    .filter(Boolean)
    .join(" · ");
  element("software").hidden = !software;
}
/** Beside this page lies one trainer for any device; there may be others for classes of devices, each in a folder of its name. */
async function importTrainer(found?: Found): Promise<Trainer> {
  const targets = (document.documentElement.dataset["targets"] ?? "").split(" ");
  const name = found ? `${found.facts.name} ${found.facts.architecture}` : "";
  const own = !found ? "" : !found.software ? "discrete" : /swiftshader/i.test(name) ? "swiftshader" : "lavapipe";
  const place = targets.includes(own) && own !== "" ? `./${own}/trainer.mjs` : "./trainer.mjs";
  return (await import(place)) as Trainer; // made by the same compiler
}
async function open(): Promise<void> {
  const general = await importTrainer();
  showSource(general);
  if (!general.plan.trains.length && !general.plan.exports.length) return say("This model has nothing to run.");
  const found = await findDevice(general);
  showDevice(found);
  const session = new Session(await importTrainer(found));
  const files = new Files(
    session.plan,
    () => {
      say("Ready");
      void prepare();
    },
    (file) => void weights.load(file),
  );
  const training = new Training(session, files);
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
function showSource({ plan }: Trainer): void {
  element("source-text").textContent = plan.source;
  element("source").hidden = plan.source === "";
  const select = element("kernel", "select");
  select.append(...plan.modules.map((module) => make("option", module.name, { value: module.name })));
  const show = (): void => {
    element("kernel-text").textContent = plan.modules.find((module) => module.name === select.value)?.code ?? "";
  };
  select.addEventListener("change", show);
  show();
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
