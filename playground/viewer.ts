// The views of one model in a file of its own, without compiler: what `dlm inspect --html` writes. In: data in the page. Out: what people see.
import { button, element, make } from "../compiler/cli/page/dom.ts";
import type { Look } from "../compiler/cli/look/look.ts";
import type { Mark } from "../compiler/cli/look/types.ts";
import { marksOfCalls, rangeAt, Selection } from "./selection.ts";
import { Tabs } from "./tabs.ts";
import { tabsOf } from "./tabs-of.ts";
import { TextPane } from "./text.ts";
import type { Context } from "./views/view.ts";
import type { Questions } from "./work/protocol.ts";

const look = JSON.parse(element("look").textContent!) as Look; // the command line wrote it
const selection = new Selection();
const known: { readonly [K in keyof Questions]?: (about: Questions[K]["give"]) => unknown } = {
  stage: (name) => look.stages[name],
  graph: () => look.graph,
  timeline: () => look.timeline,
};
const context: Context = {
  selection,
  document: () => ({ text: look.text, name: look.name, texts: {}, data: "", files: {}, target: "" }),
  checked: () => look.checked,
  compiled: () => ({ ok: true, milliseconds: 0, costs: look.costs }),
  ask: (ask, about) => Promise.resolve(known[ask]?.(about) as Questions[typeof ask]["take"]), // of the same question
};
const pane = new TextPane(look.text, (offset) => {
  const marks: Mark[] = [...marksOfCalls(look.checked.calls), ...(tabs.view?.marks() ?? [])];
  const mark = rangeAt(look.text, offset, marks);
  const label = look.text.slice(mark[0], mark[1]).trim();
  selection.choose(label ? { marks: [mark], isRange: true, from: "text", label } : undefined);
});
element("text").append(pane.node);
selection.onChange((chosen) => {
  pane.light(chosen?.marks ?? []);
  element("chosen").hidden = chosen === undefined;
  element("chosen").replaceChildren(
    make("code", chosen?.label.split("\n", 1)[0] ?? ""),
    button("Clear", () => selection.choose(undefined), "small"),
  );
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape") selection.choose(undefined);
});
element("see").textContent =
  /^(?:#.*\n)+/.exec(look.text)?.[0].replace(/^#+ ?/gm, "").replace(/\s+/g, " ") ?? look.compiler;
const tabs = new Tabs(
  element("tabs"),
  element("panels"),
  tabsOf(context).filter((tab) => tab.name !== "trainer"),
  (view) => {
    view.node.classList.add("filled");
    void view.show();
  },
);
tabs.open("calls");
document.documentElement.dataset["state"] = "ready";
