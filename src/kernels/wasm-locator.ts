/**
 * Places of values found by the WebAssembly module, which writes them row by row into the columns'
 * scratch. More paths than the module has slots for are left to the twin, and so are single documents
 * with repeated keys.
 */
import type { Path } from '../core/path.ts';
import { Layout, Mode } from './line-machine.ts';
import { ProgramBuilder } from './program.ts';
import type { Locator } from './types.ts';
import type { WasmContext } from './wasm-kernel.ts';
import { concat, shiftBad } from './wasm-results.ts';

/** Bytes of a place: its first byte and one past its last, 32 bits each. */
const PLACE_BYTES = 8;

/** As `Kernel.locator`. */
export function createWasmLocator({ machine, twin }: WasmContext, paths: readonly Path[]): Locator {
  const twinLocator = twin.locator(paths);
  const columns = paths.map((path) => ({ kind: 0, path, below: 0 }));
  const built = new ProgramBuilder().build({ mode: Mode.places, columns });
  if (!built) return twinLocator;
  const words = (paths.length * PLACE_BYTES) / 4;
  const room = Layout.columnsEnd - Layout.columns;
  const program = { ...built, rowLimit: Math.floor(room / (paths.length * PLACE_BYTES)) };
  return {
    locate: (bytes) => {
      const parts: Uint32Array[] = [];
      let documents = 0;
      const { bad } = machine.drive(program, bytes, {
        piece: ({ count }) => {
          const from = Layout.columns >> 2;
          parts.push(machine.u32.slice(from, from + count * words));
          documents += count;
        },
        slow: ({ start, end, line }) => {
          const found = twinLocator.locate(bytes.subarray(start, end));
          if (found.bad.length > 0) return shiftBad(found.bad[0]!, start, line);
          documents += found.count;
          if (found.count > 0) parts.push(found.places.map((at) => (at === 0 ? 0 : at + start)));
          return undefined;
        },
      });
      const places = concat(parts, (length) => new Uint32Array(length));
      return { places, count: documents, bad };
    },
  };
}
