// For tests that build graphs by hand: importing this file enters a compilation for all of the importing test.
import { Compilation, enter } from "../../compiler/graph/compilation.ts";

export const byHand = new Compilation();
enter(byHand);
