/** nodejs-polars, lazily from the file: the fastest of its ways. */
import pl from 'nodejs-polars';
import { visiting } from '../baselines.mjs';
import { PairTally } from '../lib/digest.mjs';
import { digestArrow } from '../lib/results.mjs';

const COLUMNS = ['_id', 'name', 'email', 'age', 'score', 'active', 'metadata'];

export const works = {
  filter: visiting(async ({ file }, visitor) => {
    const kept = await pl
      .scanJson(file)
      .filter(pl.col('score').gt(90))
      .select('_id', 'email')
      .collect();
    const ids = kept.getColumn('_id').toArray();
    const emails = kept.getColumn('email').toArray();
    for (let i = 0; i < ids.length; i++) visitor.add({ _id: ids[i], email: emails[i] });
  }, PairTally),

  arrow: {
    run: ({ file, fresh }) =>
      pl
        .scanJson(file)
        .select(...COLUMNS)
        .sinkIpc(fresh('docs.arrow'))
        .collect(),
    digest: ({ output }) => digestArrow(output('docs.arrow')),
  },
};
