// The frame's side of what it says to the playground around it. In: questions. Out: answers.
import type { Plan } from "../../runtime/plan.ts";
import type { Asked, Given, Told } from "./given.ts";

const ask = (asked: Asked): void => parent.postMessage(asked, location.origin);
function answer<K extends Told["tell"]>(kind: K, asked: Asked): Promise<Extract<Told, { tell: K }>> {
  return new Promise((resolve) => {
    const take = ({ data, source, origin }: MessageEvent<Partial<Told> | null>): void => {
      if (source !== parent || origin !== location.origin || data?.tell !== kind) return;
      removeEventListener("message", take);
      resolve(data as Extract<Told, { tell: K }>); // of this kind
    };
    addEventListener("message", take);
    ask(asked);
  });
}
export const givenModel = async (): Promise<Given> => (await answer("model", { ask: "model" })).given;
export const planApart = async (target: string): Promise<Plan | undefined> =>
  (await answer("apart", { ask: "apart", target })).plan;
export const showLine = (line: string): void => ask({ ask: "place", line });
export const showLayer = (layer: string): void => ask({ ask: "place", layer });
