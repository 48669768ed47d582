// The bundled runtime beside the frame's page: build.mjs writes it.
export { browserDevice, createTrainer, fetchFile, host } from "../../runtime/trainer.ts";
