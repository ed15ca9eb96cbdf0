/** The README's pipeline: JSON Lines into a store, part of it out again as documents and as Arrow. */
import { pipeline } from 'node:stream/promises';
import { arrowSink, eq, jsonlSource, zdsSink, zdsSource } from 'zds-stream';

await pipeline(jsonlSource('examples/events.jsonl'), zdsSink('lake', 'events', { idField: 'id' }));

const pushes = { where: eq('type', 'Push'), select: ['_id', 'actor.login'] };
for await (const event of zdsSource('lake', 'events', pushes)) console.log(event);
await pipeline(zdsSource('lake', 'events', pushes), arrowSink('pushes.arrow'));
