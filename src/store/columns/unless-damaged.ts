/** Decoding what may be damaged. */
import { isEtlError } from '../../core/errors.ts';

/** What all come to; where some fail, the first failure, once none is under way any more. */
export async function allOf<T>(works: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(works);
  return Promise.all(works);
}

/** What `decode` answers, undefined where it stumbles over bytes that are none of ours. */
export async function unlessDamaged<T>(decode: () => Promise<T>): Promise<T | undefined> {
  try {
    return await decode();
  } catch (error) {
    if (error instanceof RangeError || isEtlError(error)) return undefined;
    throw error;
  }
}
