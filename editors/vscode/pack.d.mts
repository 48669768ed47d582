export declare function vsix(): Promise<Uint8Array>;
