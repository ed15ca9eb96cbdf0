/**
 * Foreign stages fit anywhere: an async generator of one's own between a source and a sink sees
 * plain documents, and so does `map`; `filter` with a predicate works on the bytes.
 */
import { pipeline } from 'node:stream/promises';
import { exists, filter, jsonlSink, jsonlSource, map } from 'zds-stream';

await pipeline(
  jsonlSource('examples/events.jsonl'),
  filter(exists('commits')),
  map(({ id, actor, commits }) => ({ id, who: actor.login, commits })),
  async function* (events) {
    for await (const event of events) yield { ...event, busy: event.commits > 2 };
  },
  jsonlSink('-'),
);
