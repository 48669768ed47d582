// What an uninterrupted run holds after each step: the bytes of its checkpoints. In: a model's text, files by their path.
import { compile } from "../../compiler/compile.ts";
import { targetOf } from "../../compiler/cli/device.ts";
import { targets } from "../../compiler/kernel/target.ts";
import { load, type Model } from "../../runtime/index.ts";
import { readSafetensors } from "../../runtime/safetensors.ts";
import { testDevice } from "../device.ts";

export interface Uninterrupted {
  /** What is wrong with a checkpoint, which must be whole and of this run; undefined: nothing. */
  readonly fault: (bytes: Uint8Array) => Promise<string | undefined>;
  /** The same, after some steps more that begin with it. */
  readonly faultGoingOn: (bytes: Uint8Array) => Promise<string | undefined>;
  readonly close: () => void;
}
const further = 5;

export async function uninterrupted(
  name: string,
  text: string,
  files: Readonly<Record<string, string>>,
  target?: string, // default: the one for the tests' device
): Promise<Uninterrupted> {
  const { device, facts } = await testDevice();
  const { plan } = compile(text, { name, target: target === undefined ? targetOf(facts) : targets[target]! });
  if (!plan) throw new Error("the model has errors");
  const read = async (path: string): Promise<Uint8Array> => new TextEncoder().encode(files[path]);
  const fresh = (): Promise<Model> => load(plan, { device, read });
  const model = await fresh();
  const at: Uint8Array[] = [await model.checkpoint()];
  const take = ({ step, bytes }: { step: number; bytes: Uint8Array }): void => void (at[step] = bytes);
  const goTo = async (step: number): Promise<void> => {
    if (at[step]) return;
    await model.train("fit", { stopAfter: Math.max(100, step - model.step("fit")), snapshots: { steps: 1, take } });
    at[model.step("fit")] ??= await model.checkpoint();
    if (!at[step]) throw new Error(`an uninterrupted run has no step ${step}`);
  };
  let last: Promise<void> = Promise.resolve(); // one thing at a time
  const bytesAt = async (step: number): Promise<Uint8Array> => {
    await (last = last.catch(() => {}).then(() => goTo(step)));
    return at[step]!;
  };
  const stepOf = (bytes: Uint8Array): number =>
    (JSON.parse(readSafetensors(bytes).metadata["progress"]!) as { trains: { fit: { step: number } } }).trains.fit.step;
  const compared = async (bytes: Uint8Array): Promise<string | undefined> => {
    const step = stepOf(bytes);
    return Buffer.from(bytes).equals(await bytesAt(step)) ? undefined : `step ${step} has other bits`;
  };
  const told = (run: Promise<string | undefined>): Promise<string | undefined> =>
    run.catch((error: Error) => error.message);
  return {
    fault: (bytes) => told(compared(bytes)),
    faultGoingOn: (bytes) =>
      told(
        (async () => {
          const again = await fresh();
          try {
            await again.restore(bytes);
            await again.train("fit", { stopAfter: further });
            return await compared(await again.checkpoint());
          } finally {
            again.close();
          }
        })(),
      ),
    close: () => model.close(),
  };
}
