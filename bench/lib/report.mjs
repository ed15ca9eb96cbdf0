/** Tables of the results: for the terminal and as Markdown for the README and docs. */

/** One work as terminal text. */
export function formatWork(work) {
  const width = Math.max(...work.rows.map((row) => row.name.length), 10);
  const lines = work.rows.map((row) => {
    const name = `  ${row.ours ? '*' : ' '} ${row.name.padEnd(width)}`;
    if (row.reason !== undefined) return `${name}  not measured: ${row.reason}`;
    return [
      name,
      `${seconds(row.median)} s`.padStart(10),
      `${rate(row.perSecond)}/s`.padStart(10),
      mebibytes(row.maxRssBytes).padStart(9),
      (row.ratio === undefined ? '' : `${row.ratio.toFixed(2)}x`).padStart(8),
      row.note ? `  ${row.note}` : '',
    ]
      .join(' ')
      .trimEnd();
  });
  const targets = work.targets.map((target) => `    target: ${target.text}${verdict(target)}`);
  const digest = work.digest ? `  [${work.digest}]` : '';
  return [`${work.title}${digest}`, ...lines, ...targets, ''].join('\n');
}

/** The table for the README: a work per row, our figures, and how much longer the others take. */
export function summaryTable(report) {
  const rows = report.works.flatMap((work) => {
    const mine = work.rows.find((row) => row.ours);
    if (mine?.median === undefined) return [];
    const others = work.rows
      .filter((row) => !row.scaled && row.ratio !== undefined && !row.name.startsWith('zds-stream'))
      .sort((a, b) => a.ratio - b.ratio)
      .map((row) => `${row.name} ${factor(row.ratio)}`);
    const peak = mebibytes(mine.maxRssBytes);
    return [`| ${work.title} | ${seconds(mine.median)} | ${peak} | ${others.join(', ')} |`];
  });
  return [
    '| work | seconds | peak memory | times as long |',
    '|---|--:|--:|---|',
    ...rows,
    '',
  ].join('\n');
}

/** The whole report as Markdown: the machine, the summary, then one table per work. */
export function markdownReport(report) {
  const tables = report.works.map((work) => {
    const rows = work.rows.map((row) => {
      const name = row.ours ? `**${row.name}**` : row.name;
      const cells =
        row.reason !== undefined
          ? ['not measured', '', '', '']
          : [
              seconds(row.median),
              rate(row.perSecond),
              mebibytes(row.maxRssBytes),
              row.ratio === undefined ? '' : row.ratio.toFixed(2),
            ];
      const note = row.reason ?? row.note ?? '';
      return `| ${[name, ...cells, note.replaceAll('|', '\\|')].join(' | ')} |`;
    });
    const targets = work.targets.map((target) => `- target: ${target.text}${verdict(target)}`);
    return [
      `### ${work.title}`,
      '',
      '| | seconds | per second | peak memory | time over ours | |',
      '|---|--:|--:|--:|--:|---|',
      ...rows,
      '',
      ...(work.digest ? [`Result \`${work.digest}\`.`, ''] : []),
      ...(targets.length ? [...targets, ''] : []),
    ].join('\n');
  });
  const count = report.documents.toLocaleString('en');
  return [
    `${count} documents, medians of ${report.runs} runs after a warm-up.`,
    '',
    ...report.machine.text.split('\n').flatMap((line) => [line, '']),
    summaryTable(report),
    ...tables,
  ].join('\n');
}

function factor(ratio) {
  return `${ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(1)}x`;
}

function verdict({ met }) {
  if (met === undefined) return '';
  return met ? ': met' : ': MISSED';
}

function seconds(value) {
  return value < 0.01 ? value.toFixed(5) : value.toFixed(3);
}

function rate(value) {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e3) return `${(value / 1e3).toFixed(1)} k`;
  return value.toFixed(1);
}

function mebibytes(bytes) {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
