// What every tab can do. In: nothing. Out: a type, and what all views are given.
import type { Selection } from "../selection.ts";
import type { Checked, Compiled, Mark } from "../../compiler/cli/look/types.ts";
import type { Document, FilePlace, Questions } from "../work/protocol.ts";

export interface View {
  readonly node: HTMLElement;
  /** Shows the text as it is now; called when the tab is opened, and after every change while it is. */
  readonly show: () => Promise<void>;
  /** Where its things are in the text. */
  readonly marks: () => readonly Mark[];
  readonly leave?: () => void;
}
/** What the page knows. */
export interface Context {
  readonly selection: Selection;
  readonly document: () => Document;
  readonly checked: () => Checked | undefined;
  readonly compiled: () => Compiled | undefined;
  readonly ask: <K extends keyof Questions>(ask: K, about: Questions[K]["give"]) => Promise<Questions[K]["take"]>;
  /** Where there is an editor. */
  readonly goTo?: (place: FilePlace) => void;
  /** The same of the version before this one; undefined where there is none. Absent where there are no versions. */
  readonly askBefore?: <K extends keyof Questions>(
    ask: K,
    about: Questions[K]["give"],
  ) => Promise<Questions[K]["take"] | undefined>;
}
