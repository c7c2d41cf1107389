/* When tidings.js asks again: back-off, watchdog, what servers and proxies say. */

import {test} from 'node:test';
import assert from 'node:assert/strict';
import {setup, event, hello, problem} from './harness.mjs';

const SECOND = 1000;

/* How long the client waited between each two requests that all failed. */
async function waitsOfFailures(count, random) {
  const {clock, server, follow} = setup();
  const {stream, said} = follow({random: () => random});
  for (let i = 0; i <= count; i++) {
    (await server.request()).fail();
    await clock.pass(31 * SECOND);
  }
  stream.close();
  return said.states.filter(({state}) => state === 'waiting')
    .map(({wait}) => wait / SECOND).slice(0, count);
}

test('failures are waited for longer and longer, up to 30 s', async () => {
  assert.deepEqual(await waitsOfFailures(8, 1), [1, 2, 4, 8, 16, 30, 30, 30]);
});

test('the wait is any part of that', async () => {
  assert.deepEqual(await waitsOfFailures(8, 0.5), [.5, 1, 2, 4, 8, 15, 15, 15]);
  assert.deepEqual(await waitsOfFailures(3, 0), [0, 0, 0]);
});

test('what the state says is what is waited', async () => {
  const {clock, server, follow} = setup();
  const {said} = follow({random: () => 0.7});
  (await server.request()).fail();
  await clock.pass(699);
  assert.deepEqual(said.states.at(-1), {state: 'waiting', transport: 'fetch',
    reason: 'fetch failed', wait: 700, shared: false});
  assert.equal(server.isAsked, false);
  await clock.pass(1);
  assert.equal(server.isAsked, true);
});

test('a minute of health makes failures forgotten', async () => {
  const {clock, server, follow} = setup();
  const {said} = follow({keepaliveSecs: 100});
  const waits = () => said.states.filter(({state}) => state === 'waiting')
    .map(({wait}) => wait / SECOND);
  for (const healthy of [0, 59, 60, 0]) {
    const request = await server.request();
    request.open().say(hello(1, 1));
    await clock.pass(healthy * SECOND);
    request.fail();
    await clock.pass(10 * SECOND);
  }
  assert.deepEqual(waits(), [1, 2, 1, 2]);
});

test('retry is the least that is waited after a stream', async () => {
  const {clock, server, follow} = setup();
  follow({random: () => 0});
  const request = await server.request();
  request.open().say('retry: 3247\n\n', hello(5));
  await clock.pass(0);
  request.end();
  await clock.pass(3246);
  assert.equal(server.isAsked, false);
  await clock.pass(1);
  assert.equal((await server.request()).after, '5');
});

test('silence for 20 s is a dead connection: on with the last id', async () => {
  const {clock, server, follow} = setup();
  const {said} = follow({random: () => 0});
  const request = await server.request();
  request.open().say('retry: 3000\n\n', hello(5), event(7, 'seen'));
  await clock.pass(19_999);
  assert.equal(request.signal.aborted, false);
  await clock.pass(1);
  assert.equal(request.signal.aborted, true);
  assert.equal((await server.request()).after, '7');
  assert.equal(said.errors[0].message, 'silent');
});

test('any byte is a sign of life', async () => {
  const {clock, server, follow} = setup();
  follow();
  const request = await server.request();
  request.open().say(hello(5));
  for (let i = 0; i < 10; i++) {
    await clock.pass(19 * SECOND);
    request.say(':\n');
  }
  await clock.pass(0);
  assert.equal(request.signal.aborted, false);
});

test('a server that speaks less often is given more time', async () => {
  const {clock, server, follow} = setup();
  follow();
  const request = await server.request();
  request.open().say(hello(5, 60));
  await clock.pass(79_999);
  assert.equal(request.signal.aborted, false);
  await clock.pass(1);
  assert.equal(request.signal.aborted, true);
});

test('a stream that says nothing at all is given up after 10 s', async () => {
  const {clock, server, follow} = setup();
  follow({transports: ['fetch', 'long-poll']});
  const request = await server.request();
  request.open();
  await clock.pass(10 * SECOND);
  assert.equal(request.signal.aborted, true);
  const {searchParams} = (await server.request()).url;
  assert.equal(searchParams.get('flavor'), 'long-poll');
});

test('Retry-After of 503 and 429 is kept to', async () => {
  for (const status of [503, 429]) {
    const {clock, server, follow} = setup();
    follow({random: () => 0.5});
    (await server.request()).answer(status, {message: 'later'},
      {...problem, 'retry-after': '7'});
    await clock.pass(7499);
    assert.equal(server.isAsked, false);
    await clock.pass(1);
    assert.equal(server.isAsked, true);
  }
});

test('504 for a poll that waited is asked again at once', async () => {
  const {clock, server, follow} = setup();
  const {said} = follow({transports: ['long-poll']});
  (await server.request()).list([], 5);
  const request = await server.request();
  await clock.pass(15 * SECOND);
  request.answer(504, 'gateway timeout');
  assert.equal((await server.request()).after, '5');
  assert.equal(said.states.at(-1).state, 'connecting');
});

test('504 at once is no reason to ask without end', async () => {
  const {clock, server, follow} = setup();
  follow();
  (await server.request()).answer(504, 'gateway timeout');
  await clock.pass(999);
  assert.equal(server.isAsked, false);
  await clock.pass(1);
  assert.equal(server.isAsked, true);
});

test('x-ps-reconnect-in is waited between polls', async () => {
  const {clock, server, follow} = setup();
  follow({transports: ['long-poll']});
  (await server.request()).list([event(6, 1)], 6, {'x-ps-reconnect-in': '5'});
  await clock.pass(4999);
  assert.equal(server.isAsked, false);
  await clock.pass(1);
  const {after, url} = await server.request();
  assert.equal(after, '6');
  assert.equal(url.searchParams.get('timeout'), '20');
});

test('a long-poll that is answered at once without an event is no loop',
  async () => {
    const {clock, server, follow} = setup();
    follow({transports: ['long-poll']});
    (await server.request()).list([], 6);
    (await server.request()).list([], 6, {'x-ps-reconnect-in': ''});
    await clock.pass(4999);
    assert.equal(server.isAsked, false);
    await clock.pass(1);
    assert.equal(server.isAsked, true);
  });

test('a poll is given the time that it may wait, and no more', async () => {
  const {clock, server, follow} = setup();
  follow({transports: ['long-poll'], keepaliveSecs: 30});
  (await server.request()).list([], 6);
  const request = await server.request();
  await clock.pass(39_999);
  assert.equal(request.signal.aborted, false);
  await clock.pass(1);
  assert.equal(request.signal.aborted, true);
});

test('a page in a hurry gives polls no more time than streams', async () => {
  const {clock, server, follow} = setup();
  follow({transports: ['long-poll'], keepaliveSecs: 2});
  (await server.request()).list([], 6);
  const request = await server.request();
  await clock.pass(3999);
  assert.equal(request.signal.aborted, false);
  await clock.pass(1);
  assert.equal(request.signal.aborted, true);
});

test('a short-poll asks every 5 s, and at once while there is more', async () => {
  const {clock, server, follow} = setup();
  const {said} = follow({transports: ['short-poll']});
  (await server.request()).list([event(6, 1)], 6);
  (await server.request()).list([event(7, 1)], 7);
  (await server.request()).list([], 7);
  await clock.pass(4999);
  assert.equal(server.isAsked, false);
  await clock.pass(1);
  assert.equal((await server.request()).after, '7');
  assert.deepEqual(said.events.map(({id}) => id), ['6', '7']);
});

test('a network that is gone leaves a good transport only after three tries',
  async () => {
    const {clock, server, follow} = setup();
    follow({transports: ['fetch', 'long-poll'], random: () => 0});
    const flavors = [];
    const first = await server.request();
    first.open().say(hello(1));
    await clock.pass(0);
    first.fail();
    for (let i = 0; i < 4; i++) {
      const request = await server.request();
      flavors.push(request.url.searchParams.get('flavor'));
      request.fail();
      await clock.pass(0);
    }
    assert.deepEqual(flavors,
      ['eventsource', 'eventsource', 'eventsource', 'long-poll']);
  });

test('better transports are looked for after ten minutes, then after twenty',
  async () => {
    const {clock, server, follow} = setup();
    follow({transports: ['fetch', 'long-poll'], keepaliveSecs: 299});
    const begin = clock.now(), looks = [];
    while (clock.now() - begin < 31 * 60 * SECOND) {
      await clock.pass(0);
      while (server.isAsked) {
        const request = await server.request();
        if (request.url.searchParams.get('flavor') === 'eventsource') {
          looks.push(Math.round((clock.now() - begin) / 60 / SECOND));
          request.answer(403, 'no streams here');
        } else if (request.url.searchParams.get('timeout') === '0') {
          request.list([], 1);
        }
        await clock.pass(0);
      }
      await clock.pass(10 * SECOND);
      for (const request of server.requests)
        if (!request.signal.aborted) request.list?.([], 1);
    }
    assert.deepEqual(looks, [0, 10, 30]);
  });
