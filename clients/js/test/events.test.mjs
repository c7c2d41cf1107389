/* What becomes of the bytes: parsing, positions, storage, callbacks, loops. */

import {test} from 'node:test';
import assert from 'node:assert/strict';
import {setup, event, hello, problem} from './harness.mjs';

const ids = (said) => said.events.map(({id}) => Number(id));

test('a stream may be cut anywhere, and end its lines in any way', async () => {
  const object = JSON.stringify(event(7, 'Gruyère 🧀'));
  for (const end of ['\n', '\r\n', '\r']) {
    const {clock, server, follow} = setup();
    const {said} = follow();
    const bytes = new TextEncoder().encode([':', `data: ${object.slice(0, 8)}`,
      `data:${object.slice(8)}`, 'id: 7', '', ': end', ':', ''].join(end));
    const request = await server.request();
    request.open();
    for (const byte of bytes) request.bytes(new Uint8Array([byte]));
    await clock.pass(0);
    assert.equal(said.events[0]?.data, 'Gruyère 🧀', JSON.stringify(end));
    assert.deepEqual(said.errors, []);
  }
});

test('what is no JSON is told, and the stream goes on', async () => {
  const {clock, server, follow} = setup();
  const {said} = follow();
  (await server.request()).open().say('data: {"id":5,\n\n', 'data: null\n\n',
    event(7, 'seen'));
  await clock.pass(0);
  assert.deepEqual(said.errors.map(({kind, text}) => [kind, text]),
    [['json', '{"id":5,']]);
  assert.deepEqual(ids(said), [7]);
});

test('an id that was there is not given again', async () => {
  const {clock, server, follow} = setup();
  const {said} = follow();
  (await server.request()).open().say(
    ...[9, 10, 10, 9, 11, 2, 12].map((id) => event(id, 'x')));
  await clock.pass(0);
  assert.deepEqual(ids(said), [9, 10, 11, 12]);
});

test('after a gap the position may be smaller', async () => {
  const {clock, server, follow} = setup();
  const {stream, said} = follow({random: () => 0});
  const request = await server.request();
  request.open().say(event(100, 'x'), event(10, {requested: '100',
    resumed: '10', reason: 'future'}, 'tidings.gap'), event(11, 'y'));
  await clock.pass(0);
  assert.deepEqual(said.gaps,
    [{requested: '100', resumed: '10', reason: 'future'}]);
  assert.deepEqual(ids(said), [100, 11]);
  assert.equal(stream.lastId, '11');
  request.fail();
  await clock.pass(0);
  assert.equal((await server.request()).after, '11');
});

test('corrections and withdrawals are no events, and move the position',
  async () => {
    const {clock, server, follow} = setup();
    const {stream, said} = follow();
    (await server.request()).open().say(
      event(8, {corrects: 5, type: 'price', data: {chf: 2}},
        'tidings.correction'),
      event(9, {withdraws: 6}, 'tidings.withdrawal'));
    await clock.pass(0);
    const [correction] = said.corrections;
    assert.deepEqual([correction.id, correction.corrects, correction.type,
      correction.data, correction.channel],
    ['8', '5', 'price', {chf: 2}, 'news']);
    assert.equal(said.withdrawals[0].withdraws, '6');
    assert.deepEqual([said.events, stream.lastId], [[], '9']);
  });

test('a callback that throws harms nobody but itself', async () => {
  const {clock, server, follow} = setup();
  const thrown = [], really = globalThis.queueMicrotask;
  globalThis.queueMicrotask = (fn) => really(() => {
    try {
      fn();
    } catch (error) {
      thrown.push(error.message);
    }
  });
  const {said} = follow({onState() {
    throw new Error('my mistake');
  }});
  (await server.request()).open().say(event(1, 'x'), event(2, 'y'));
  await clock.pass(0);
  globalThis.queueMicrotask = really;
  assert.deepEqual(ids(said), [1, 2]);
  assert.deepEqual(thrown, ['my mistake', 'my mistake']);
});

test('a callback may close the stream: nothing follows', async () => {
  const {clock, server, follow} = setup();
  const seen = [];
  const {stream} = follow({onEvent(it) {
    seen.push(it.id);
    stream.close();
  }});
  const request = await server.request();
  request.open().say(event(1, 'x'), event(2, 'y'));
  await clock.pass(60_000);
  assert.deepEqual(seen, ['1']);
  assert.equal(request.signal.aborted, true);
  assert.equal(server.isAsked, false);
});

test('a signal closes it, also one that was given before', async () => {
  const {clock, server, follow} = setup();
  const controller = new AbortController();
  const {stream} = follow({signal: controller.signal});
  const request = await server.request();
  controller.abort();
  assert.equal(stream.state, 'closed');
  assert.equal(request.signal.aborted, true);
  const other = follow({signal: controller.signal});
  await clock.pass(0);
  assert.equal(other.stream.state, 'closed');
  assert.equal(server.isAsked, false);
});

test('the address is made of URL, channels, position, session', async () => {
  const {server, follow} = setup();
  follow({channels: ['a', 'b.*'], after: 'last-3', session: 'me'},
    'http://server/events/?x=1');
  const {url} = await server.request();
  assert.equal(decodeURIComponent(url.pathname), '/events/a,b.*');
  assert.deepEqual(['x', 'last_event_id', 'session', 'token']
    .map((name) => url.searchParams.get(name)), ['1', 'last-3', 'me', null]);
});

test('a token is asked for anew each time, and stays out of the URL',
  async () => {
    const {clock, server, follow} = setup();
    let number = 0;
    follow({token: async () => `t${++number}`, random: () => 0});
    for (const expected of ['Bearer t1', 'Bearer t2']) {
      const request = await server.request();
      assert.equal(request.headers.get('authorization'), expected);
      assert.equal(request.url.searchParams.get('token'), null);
      request.fail();
      await clock.pass(0);
    }
  });

test('what the server refuses is not asked again', async () => {
  for (const status of [400, 401, 403, 404, 410]) {
    const {clock, server, follow} = setup();
    const {stream, said} = follow({transports: ['fetch', 'long-poll']});
    (await server.request()).answer(status, {message: 'no'}, problem);
    await clock.pass(120_000);
    assert.equal(server.isAsked, false);
    assert.equal(stream.state, 'closed');
    assert.deepEqual(said.errors.map((error) =>
      [error.kind, error.status, error.message]), [['refused', status, 'no']]);
  }
});

test('what something before the server refuses is asked in another way',
  async () => {
    const {clock, server, follow} = setup();
    const {stream} = follow({transports: ['fetch', 'long-poll']});
    (await server.request()).answer(403, 'blocked');
    (await server.request()).answer(403, 'blocked');
    await clock.pass(0);
    assert.equal(stream.state, 'closed');
  });

test('the position is kept four times a second at most', async () => {
  const {clock, server, follow} = setup();
  const writes = [];
  const storage = {
    getItem: (key) => key === 'mine' ? '41' : null,
    setItem: (key, value) => writes.push([key, value]),
  };
  const {stream} = follow({storage, storageKey: 'mine'});
  const request = await server.request();
  assert.equal(request.after, '41');
  request.open();
  for (let id = 42; id < 142; id++) {
    request.say(event(id, 'x'));
    await clock.pass(10);
  }
  assert.equal(writes.length >= 3 && writes.length <= 4, true);
  stream.close();
  assert.deepEqual(writes.at(-1), ['mine', '141']);
});

test('a storage that fails is done without', async () => {
  const {clock, server, follow} = setup();
  const {said} = follow({storage: {
    getItem() {
      throw new Error('no');
    },
    setItem() {
      throw new Error('no');
    },
  }});
  (await server.request()).open().say(event(1, 'x'));
  await clock.pass(1000);
  assert.deepEqual(ids(said), [1]);
});

test('a loop that is behind stops the stream, and loses nothing', async () => {
  const {clock, server, follow} = setup();
  const {stream} = follow();
  const taken = [];
  let go;
  const gate = new Promise((resolve) => { go = resolve; });
  const loop = (async () => {
    for await (const {id} of stream) {
      await gate;
      taken.push(Number(id));
    }
  })();
  const all = Array.from({length: 1500}, (_, i) => event(i + 1, 'x'));
  const request = await server.request();
  request.open().say(...all);
  await clock.pass(60_000);
  assert.equal(request.signal.aborted, true);
  assert.equal(server.isAsked, false);
  go();
  await clock.pass(0);
  const again = await server.request();
  const from = Number(again.after);
  assert.equal(from <= 1001, true);
  again.open().say(...all.slice(from));
  await clock.pass(0);
  stream.close();
  await loop;
  assert.deepEqual(taken, all.map(({id}) => id));
});
