// Types of templates.mjs.
import type { Templates } from "./init.ts";

export declare function templates(): Templates;
