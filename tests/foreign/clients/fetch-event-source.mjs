// @microsoft/fetch-event-source. It wants a browser's window; openWhenHidden
// keeps it from following the visibility of a document, but not from forgetting
// to. It comes back by itself after an error, and after an end only when onclose
// throws, as its README says.
import library from '@microsoft/fetch-event-source';
import { report, url } from './report.mjs';

globalThis.window = globalThis;
globalThis.document = { hidden: false, removeEventListener() {} };

await library.fetchEventSource(url, {
  openWhenHidden: true,
  onmessage(message) {
    report(message.id, message.event, message.data);
  },
  onclose() {
    throw new Error('the stream ended');
  },
  onerror(error) {
    console.error(String(error));
  },
});
