/** Throws when the programmer broke a promise; what the world does wrong is an EtlError instead. */
export function assert(condition: unknown, promise: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${promise}`);
}
