// npm run golden: see run.ts.
import { runBundled } from "../bundled.mjs";

await runBundled(new URL("run.ts", import.meta.url), "dlm-golden");
