/** The document store: put, get, commit, scan, read beside a writer. */
import { and, eq, FastStore, gt, ZdsRoot } from 'zds-stream';

const root = await ZdsRoot.open('data'); // makes the store, takes the writer's lock
const users = await root.collection('users'); // a FastStore

users.put('ada', { name: 'Ada', role: 'admin', visits: 7 });
users.put('bob', { name: 'Bob', role: 'user', visits: 2 });
await users.writeJsonl('{"_id":"eve","name":"Eve","role":"user","visits":9}\n');
users.delete('bob');
await users.flush({ cursor: { file: 'users.csv', line: 3 }, loadId: 'monday' }); // durable, as one unit

console.log(users.get('ada').visits, users.exists('bob'), users.count); // 7 false 2
console.log(users.tryGet('bob')); // undefined

const often = { where: and(eq('role', 'user'), gt('visits', 5)), select: ['_id', 'visits'] };
for await (const user of users.scan(often)) console.log(user); // { _id: 'eve', visits: 9 }

const reader = await FastStore.open('data', 'users', { mode: 'read' }); // as another process would
users.put('kim', { name: 'Kim', role: 'user', visits: 1 });
console.log(reader.count); // 2
await users.flush();
await reader.refresh();
console.log(reader.count, await reader.cursor('monday')); // 3 { file: 'users.csv', line: 3 }

await reader.close();
await root.close(); // commits and closes its collections
