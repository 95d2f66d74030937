// Sends `count` orders to `path` of the shop at `port`, one every `everyMs`, without waiting for the answers. Prints
// a line when the first answer has come, and at the end how many answers say that the order was admitted.
//
//   node client.js '{ "port": 8080, "path": "/", "count": 100, "everyMs": 10 }'
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const { port, path, count, everyMs } = JSON.parse(process.argv[2] ?? '{}');
const agent = new Agent({ keepAlive: true, maxSockets: 16 });

function order() {
  return new Promise((resolve, reject) => {
    const asked = request(
      { agent, port, path, host: '127.0.0.1', method: 'POST', timeout: 30_000 },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part) => {
          text += part;
        });
        response.on('end', () => resolve(JSON.parse(text).outcome));
      },
    );
    asked.on('timeout', () => asked.destroy(new Error('no answer')));
    asked.on('error', reject);
    asked.end();
  });
}

const answers = [];
for (let i = 0; i < count; i++) {
  answers.push(order());
  if (i === 0) console.log(`begun: ${await answers[0]}`);
  await sleep(everyMs);
}
const outcomes = await Promise.all(answers);
console.log(outcomes.filter((outcome) => outcome === 'admitted').length);
agent.destroy();
