/* talk.js -- a page that needs what the talk's three clients need.
 *
 * Written to their contract, not from their source: an EventSource from the
 * browser's time on, a long-poll with a wait key that lives by the headers and
 * statuses of the answers, a WebSocket at the root without a way back.
 */
var query = {};
location.search.slice(1).split('&').forEach(function (pair) {
  query[pair.split('=')[0]] = pair.split('=')[1];
});

var faster = Number(query.faster || 1);
var created = 'rt-' + Date.now() / 1000;
var polls = []; /* {id, reconnect, info, count}: what each answer said */

function show(panel, event) {
  var row = document.createElement('li');

  row.textContent = event.type + ' ' + JSON.stringify(event.data);
  document.getElementById(panel).appendChild(row);
}

/* ---- EventSource ------------------------------------------------------- */

var es = new EventSource('/events/cheese/?last_event_id=' + created +
                         '&flavor=eventsource');

es.addEventListener('cheese_created', function (e) {
  show('eventsource', {type: e.type, data: JSON.parse(e.data)});
});

/* ---- long-polling ------------------------------------------------------ */

var lastId = created;

function pollAgain(seconds) {
  setTimeout(poll, seconds * 1000 / faster);
}

function poll() {
  var xhr = new XMLHttpRequest();

  xhr.open('GET', '/events/cheese/foobar?_=' + Date.now());
  xhr.setRequestHeader('Accept', 'application/json, text/javascript, */*; q=0.01');
  xhr.setRequestHeader('Last-Event-Id', lastId);
  xhr.onload = function () {
    var seconds, events;

    if (xhr.status !== 200) {
      pollAgain(xhr.status === 504 ? 0 : 10);
      return;
    }
    seconds = parseFloat(xhr.getResponseHeader('x-ps-reconnect-in'));
    if (isNaN(seconds) || seconds < 0) {
      seconds = 10;
    }
    events = JSON.parse(xhr.responseText);
    events.forEach(function (e) {
      lastId = e.id;
      show('long-polling', e.data);
    });
    polls.push({id: lastId, count: events.length, reconnect: seconds,
                info: xhr.getResponseHeader('x-shortpoll-info')});
    document.body.dataset.polls = polls.length;
    pollAgain(seconds);
  };
  xhr.onerror = function () { pollAgain(10); };
  xhr.send();
}

poll();

/* ---- WebSocket --------------------------------------------------------- */

if (query.socket) {
  var socket = new WebSocket('ws://' + location.hostname + ':' + query.socket + '/');

  socket.onmessage = function (e) { show('websocket', JSON.parse(e.data)); };
}
