// What a compiled trainer adds to the runtime's public types; generated trainers write the like into their own declarations.
import type { CheckpointStore, FileBytes, LoadOptions, Model, TrainerEvent } from "./api.ts";
import type { DeviceFacts } from "./device.ts";

/** How a compiled trainer loads its model. */
export interface TrainerOptions extends Omit<Partial<LoadOptions>, "weights" | "onEvent"> {
  /** In Node, which device: auto, gpu, system, embedded, or a part of an adapter's name. */
  readonly choose?: string;
  /** For which class of devices the kernels are: software, integrated, discrete. Default: that of the device. */
  readonly target?: string;
  /** A folder, or its address, in which data files are looked for first. */
  readonly data?: string;
  /**
   * Trained weights or a checkpoint, or where they lie: the model is there to be used. Data and kernels of training are taken up only when it is trained or
   * measured after all, from these weights. Default: the weights that were compiled with the trainer, if any; false: none, the model begins at its initial values.
   */
  readonly weights?: FileBytes | string | URL | false;
  /**
   * Checkpoints are kept while it trains, and taken up when it is loaded again and when the device is lost: in a page's IndexedDB, in Node in a file. A name
   * or path of its own, or any other place.
   */
  readonly keep?: boolean | string | CheckpointStore;
  /** In a page, with `keep`: what another text of the model left is taken up too, wherever parameters and rows fit. Default: a changed text begins anew. */
  readonly fitting?: boolean;
  readonly onEvent?: (event: TrainerEvent) => void;
}
/** A model that a compiled trainer loaded. */
export interface TrainerModel extends Model {
  readonly device: DeviceFacts | undefined; // undefined where the caller gave the device
  /** Settles with true when the place for checkpoints is this model's: at once, or when the page that has it is closed. With false where none are, without `keep` or after `close`. */
  readonly keeping: Promise<boolean>;
}
