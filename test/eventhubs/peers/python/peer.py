"""The Python SDK of Event Hubs as a peer of the tests: what it is asked, and what it answers, says ../Peer.ts."""

import base64
import json
import sys
import threading
from datetime import datetime, timezone

from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient

# A reader that is let in and then refused would try again for ever: the SDK counts from 0 after each attach.
retries = {"retry_total": 0}
saying = threading.Lock()


def say(answer):
    with saying:
        print(json.dumps(answer), flush=True)


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def milliseconds(time):
    return round(time.timestamp() * 1000)


def event_of(given):
    event = EventData(base64.b64decode(given["body"]))
    event.properties = given["properties"]
    return event


def send_all(producer, sending):
    """Sends events to one place, in as few batches as hold them; gives how many these were."""
    place = {"partition_id": sending.get("partition"), "partition_key": sending.get("key")}
    batch = producer.create_batch(**place)
    batches = 1
    for given in sending["events"]:
        event = event_of(given)
        try:
            batch.add(event)
        except ValueError:
            producer.send_batch(batch)
            batches += 1
            batch = producer.create_batch(**place)
            batch.add(event)
    producer.send_batch(batch)
    return batches


def send(ask):
    with EventHubProducerClient.from_connection_string(ask["connection"], **retries) as producer:
        return {"batches": sum(send_all(producer, sending) for sending in ask["sendings"])}


def properties(ask):
    with EventHubConsumerClient.from_connection_string(ask["connection"], "$Default", **retries) as consumer:
        hub = consumer.get_eventhub_properties()
        partitions = [consumer.get_partition_properties(id) for id in hub["partition_ids"]]
    return {
        "name": hub["eventhub_name"],
        "createdMs": milliseconds(hub["created_at"]),
        "partitions": [
            {
                "id": p["id"],
                "first": p["beginning_sequence_number"],
                "last": p["last_enqueued_sequence_number"],
                "lastOffset": p["last_enqueued_offset"],
                "lastEnqueuedMs": milliseconds(p["last_enqueued_time_utc"]),
                "isEmpty": p["is_empty"],
            }
            for p in partitions
        ],
    }


def position_of(start):
    """As the SDK has it: an offset is text, a sequence number a number, an enqueued time a datetime."""
    if "enqueuedMs" in start:
        return datetime.fromtimestamp(start["enqueuedMs"] / 1000, timezone.utc)
    return start.get("offset", start.get("sequence"))


def received(event):
    return {
        "body": base64.b64encode(b"".join(event.body)).decode(),
        "key": text(event.partition_key),
        "sequence": event.sequence_number,
        "offset": event.offset,
        "enqueuedMs": milliseconds(event.enqueued_time),
        "messageId": text(event.message_id),
        "properties": {text(name): text(value) for name, value in (event.properties or {}).items()},
    }


def read(ask):
    consumer = EventHubConsumerClient.from_connection_string(ask["connection"], ask["group"], **retries)
    start = ask["start"]
    events = []
    failures = []
    ended = threading.Event()

    def take(_, some):
        events.extend(received(event) for event in some)
        if len(events) >= ask["count"]:
            ended.set()

    def fail(_, error):
        failures.append(error)
        ended.set()

    def receive():
        try:
            consumer.receive_batch(
                take,
                partition_id=ask["partition"],
                owner_level=ask.get("level"),
                starting_position=position_of(start),
                starting_position_inclusive=start.get("inclusive", False),
                on_error=fail,
            )
        except Exception as error:
            fail(None, error)

    receiving = threading.Thread(target=receive)
    receiving.start()
    ended.wait()
    consumer.close()
    receiving.join()
    if failures and len(events) < ask["count"]:
        return {"events": events, "error": said(failures[0])}
    return {"events": events[: ask["count"]]}


def said(error):
    return f"{type(error).__name__}: {error}"


commands = {"send": send, "properties": properties, "read": read}


def answer(ask):
    try:
        say({"id": ask["id"], **commands[ask["do"]](ask)})
    except Exception as error:
        say({"id": ask["id"], "error": said(error)})


for line in sys.stdin:
    threading.Thread(target=answer, args=(json.loads(line),), daemon=True).start()
