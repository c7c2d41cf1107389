/* A scheduled shutdown: away until the announced time, and back once. */

import {test} from 'node:test';
import assert from 'node:assert/strict';
import {setup, event, hello} from './harness.mjs';

const SECOND = 1000;
const DAY = 24 * 60 * 60 * SECOND;

const announcement = (secs, until = '2014-03-02 22:00:00 UTC') =>
  ({action: 'scheduled_shutdown', until, until_secs: secs});

async function announced(secs, random) {
  const all = setup();
  const {stream, said} = all.follow({random: () => random});
  const request = await all.server.request();
  request.open().say(hello(5), event(6, 'last'), announcement(secs));
  await all.clock.pass(0);
  return {...all, stream, said, request, begin: all.clock.now()};
}

/* Milliseconds until the client is back. */
async function away({clock, server, begin}) {
  while (!server.isAsked) await clock.pass(SECOND / 4);
  return (await server.request()).at - begin;
}

test('it is away until within the last minute, as chance wants', async () => {
  for (const random of [0, 0.25, 1])
    assert.equal(await away(await announced(7200, random)),
      (7200 - 60 * random) * SECOND);
});

test('a shorter announcement makes the minute shorter', async () => {
  assert.equal(await away(await announced(20, 0)), 20 * SECOND);
  assert.equal(await away(await announced(20, 0.75)), 5 * SECOND);
  assert.equal(await away(await announced(20, 1)), 0);
});

test('a month is no trouble for timers', async () => {
  const {clock, server} = await announced(31 * DAY / SECOND, 0);
  await clock.pass(31 * DAY - 1);
  assert.equal(server.isAsked, false);
  await clock.pass(1);
  assert.equal(server.isAsked, true);
});

test('the page is told once, and the state says it', async () => {
  const {clock, stream, said, request} = await announced(7200, 0.5);
  assert.equal(request.signal.aborted, true);
  assert.deepEqual(said.shutdowns, [{until: '2014-03-02 22:00:00 UTC',
    untilSecs: 7200, returnsAt: clock.now() + 7170 * SECOND}]);
  assert.equal(stream.state, 'shutdown');
  assert.deepEqual(said.events.map(({id}) => id), ['6']);
  assert.deepEqual(said.errors, []);
});

test('it comes back once, with its position', async () => {
  const {clock, server} = await announced(7200, 0.5);
  await clock.pass(7170 * SECOND);
  const request = await server.request();
  assert.equal(request.after, '6');
  request.open().say(hello(6));
  await clock.pass(30 * SECOND);
  assert.equal(server.requests.length, 3); // the watchdog's, after 20 s
});

test('who is too early comes again after the time, not before', async () => {
  const {clock, server, begin} = await announced(7200, 0.5);
  await clock.pass(7170 * SECOND);
  const request = await server.request();
  request.open().say(announcement(30));
  await clock.pass(30 * SECOND);
  assert.equal(server.isAsked, false);
  assert.equal(await away({clock, server, begin}), 7202.5 * SECOND);
});

test('an announcement of another time is a new one', async () => {
  const {clock, server, begin} = await announced(7200, 0.5);
  await clock.pass(7170 * SECOND);
  (await server.request()).open().say(
    announcement(3630, '2014-03-02 23:00:00 UTC'));
  assert.equal(await away({clock, server, begin}),
    (7170 + 3600) * SECOND);
});

test('a poll is told by an element of its answer', async () => {
  const {clock, server, follow} = setup();
  const {said} = follow({transports: ['long-poll'], random: () => 0});
  const begin = clock.now();
  (await server.request()).list([event(6, 'last'), {
    ...event(6, announcement(100), 'tidings.shutdown'), ...announcement(100)}],
  6);
  await clock.pass(0);
  assert.equal(said.shutdowns.length, 1);
  assert.deepEqual(said.events.map(({id}) => id), ['6']);
  assert.equal(await away({clock, server, begin}), 100 * SECOND);
});

test('a poll that had no position yet has one then', async () => {
  const {clock, server, follow} = setup();
  follow({transports: ['long-poll'], random: () => 0});
  (await server.request()).list([{
    ...event(6, announcement(100), 'tidings.shutdown'), ...announcement(100)}],
  6);
  await clock.pass(100 * SECOND);
  assert.equal((await server.request()).after, '6');
});

test('a closed stream does not come back', async () => {
  const {clock, server, stream} = await announced(100, 0);
  stream.close();
  await clock.pass(200 * SECOND);
  assert.equal(server.isAsked, false);
});
