// The files of a model: the model's own, and those that it imports. In: their paths, which is edited; what to do with them. Out: a bar of buttons, dialogs that
// ask for names.
import { button, make } from "../compiler/cli/page/dom.ts";

export interface FileActs {
  readonly open: (path: string) => void;
  readonly rename: (path: string, to: string) => void;
  readonly remove: (path: string) => void;
}
/** The model's own is the first and stays; without others there is nothing to choose. */
export function showFiles(node: HTMLElement, paths: readonly string[], shown: string, acts: FileActs): void {
  node.hidden = paths.length < 2;
  const tabs = paths.map((path) => {
    const made = button(path, () => acts.open(path), "small");
    made.setAttribute("aria-pressed", String(path === shown));
    return made;
  });
  const own =
    shown === paths[0]
      ? []
      : [
          make("span", undefined, { className: "grow" }),
          button(
            "Rename file",
            () =>
              void askFileName("Rename the file", "Rename", shown, paths).then((to) => to && acts.rename(shown, to)),
            "small",
          ),
          button("Delete file", () => acts.remove(shown), "small"),
        ];
  node.replaceChildren(...tabs, ...own);
}
/** A path that no file has yet. */
export async function askFileName(
  title: string,
  act: string,
  value: string,
  taken: readonly string[],
): Promise<string | undefined> {
  const given = await ask(title, act, {
    value,
    pattern: "[\\w\\-]+([\\w.\\-]*)(/[\\w\\-][\\w.\\-]*)*",
    ariaLabel: "File name",
  });
  if (given === undefined) return undefined;
  const path = given.endsWith(".dlm") ? given : `${given}.dlm`;
  return taken.includes(path) ? undefined : path;
}
/** Asks for a text; undefined where the dialog is closed without one. */
export function ask(
  title: string,
  act: string,
  input: Partial<Pick<HTMLInputElement, "value" | "pattern" | "ariaLabel">>,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const dialog = make("dialog", undefined, { className: "ask", ariaLabel: title });
    const field = make("input", undefined, { type: "text", required: true, autocomplete: "off", ...input });
    const form = make("form", undefined, { method: "dialog" }, [
      make("h2", title),
      field,
      make("button", act, { className: "primary" }),
    ]);
    let given: string | undefined;
    form.addEventListener("submit", () => (given = field.value));
    dialog.append(form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(given);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
