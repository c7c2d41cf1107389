// The EventSource of undici, which is Node's own fetch. While it waits to come back
// it does not keep the process alive, so something else must, as in a program that
// does more than this one.
import { EventSource } from 'undici';
import { listen, url } from './report.mjs';

const A_DAY_MS = 86400000;

setInterval(() => {}, A_DAY_MS);
listen(new EventSource(url));
