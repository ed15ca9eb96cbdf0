/** One transform on every document, from a file to a file, against objects by hand. */

const byHand = 'JSON.parse and objects';

/** `times`: how many times as fast as by hand it is to be, where that is a goal. */
const work = (name, title, times) => ({
  name,
  title,
  contestants: [
    { module: 'transforms.mjs', ours: true, name: 'zds-stream', work: name },
    { module: 'transforms.mjs', name: byHand, work: `${name}ByHand` },
  ],
  targets: times === undefined ? [] : [{ against: byHand, times }],
});

export const transforms = {
  name: 'transforms',
  works: [
    work('where', 'Filter one field, a tenth kept'),
    work('project', 'Project two fields'),
    work('rename', 'Rename two fields'),
    work('cast', 'Cast two numbers to text, and a timestamp', 3),
    work('aggregate', 'Group by a nested field: count, sum, mean, least and greatest', 4),
    work('dedupe', 'The first document of each value of a nested field'),
    work('flatten', 'Flatten one nested object'),
  ],
};
