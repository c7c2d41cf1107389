// ws from npm. It does not come back by itself: the few lines that do so are what
// its users write, with the id of the last event in the query.
import WebSocket from 'ws';
import { report, url } from './report.mjs';

const PAUSE_MS = 500;
const address = new URL(url.replace(/^http/, 'ws'));

function asText(data) {
  return typeof data === 'string' ? data : JSON.stringify(data);
}

function connect() {
  const socket = new WebSocket(address);
  socket.on('message', (frame) => {
    const event = JSON.parse(frame.toString('utf8'));
    address.searchParams.set('lastEventId', event.id);
    report(String(event.id), event.data.type ?? '', asText(event.data.data));
  });
  socket.on('error', (error) => console.error(String(error)));
  socket.on('close', () => setTimeout(connect, PAUSE_MS));
}

connect();
