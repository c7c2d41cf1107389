// report.mjs -- what every client here does with an event: one line of JSON on
// standard output, with a hash in place of the data.
//
//     node CLIENT.mjs URL TYPES
//
// TYPES is a JSON array: an EventSource hears only the types that it names.
// A client runs until it is ended; what it has to say besides goes to stderr.

import { createHash } from 'node:crypto';

export const [url, types] = [process.argv[2], JSON.parse(process.argv[3])];

export function report(id, type, data) {
  process.stdout.write(`${JSON.stringify({
    id, type, sha256: createHash('sha256').update(data, 'utf8').digest('hex'),
    begins: data.slice(0, 60), length: Buffer.byteLength(data, 'utf8'),
  })}\n`);
}

// Events of the types `open` and `error` come by the same door as the object's
// own; those of the server have data.
export function listen(source) {
  for (const type of new Set(['message', ...types])) {
    source.addEventListener(type, (event) => {
      if (event.data !== undefined) {
        report(event.lastEventId, event.type, event.data);
      }
    });
  }
  source.addEventListener('error', (event) => {
    if (event.data === undefined) {
      console.error('error, state', source.readyState, event.message ?? '');
    }
  });
}
