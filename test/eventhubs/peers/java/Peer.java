import com.azure.core.amqp.AmqpRetryOptions;
import com.azure.messaging.eventhubs.EventData;
import com.azure.messaging.eventhubs.EventHubClientBuilder;
import com.azure.messaging.eventhubs.EventHubProducerClient;
import com.azure.messaging.eventhubs.models.CreateBatchOptions;
import com.azure.messaging.eventhubs.models.EventPosition;
import com.azure.messaging.eventhubs.models.PartitionEvent;
import com.azure.messaging.eventhubs.models.ReceiveOptions;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** The Java SDK of Event Hubs as a peer of the tests: what it is asked, and what it answers, says ../Peer.ts. */
public final class Peer {
  private static final ObjectMapper json = new ObjectMapper();

  private static EventHubClientBuilder client(Map<String, Object> ask) {
    return new EventHubClientBuilder()
        .connectionString((String) ask.get("connection"))
        .retryOptions(new AmqpRetryOptions().setMaxRetries(1).setDelay(Duration.ofMillis(100)));
  }

  @SuppressWarnings("unchecked")
  private static EventData event(Map<String, Object> given) {
    var event = new EventData(json.convertValue(given.get("body"), byte[].class));
    event.getProperties().putAll((Map<String, Object>) given.get("properties"));
    return event;
  }

  /** Sends events to one place, in as few batches as hold them; gives how many these were. */
  @SuppressWarnings("unchecked")
  private static int send(EventHubProducerClient producer, Map<String, Object> sending) {
    var place =
        new CreateBatchOptions()
            .setPartitionId((String) sending.get("partition"))
            .setPartitionKey((String) sending.get("key"));
    var batch = producer.createBatch(place);
    var batches = 1;
    for (var given : (List<Map<String, Object>>) sending.get("events")) {
      var event = event(given);
      if (batch.tryAdd(event)) continue;
      producer.send(batch);
      batches++;
      batch = producer.createBatch(place);
      if (!batch.tryAdd(event)) throw new IllegalArgumentException("an event is too large");
    }
    producer.send(batch);
    return batches;
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> send(Map<String, Object> ask) {
    try (var producer = client(ask).buildProducerClient()) {
      var sendings = (List<Map<String, Object>>) ask.get("sendings");
      return Map.of("batches", sendings.stream().mapToInt(sending -> send(producer, sending)).sum());
    }
  }

  private static Map<String, Object> properties(Map<String, Object> ask) {
    try (var consumer = client(ask).consumerGroup("$Default").buildConsumerClient()) {
      var hub = consumer.getEventHubProperties();
      var partitions = new ArrayList<Map<String, Object>>();
      for (var id : hub.getPartitionIds()) {
        var p = consumer.getPartitionProperties(id);
        partitions.add(
            Map.of(
                "id", p.getId(),
                "first", p.getBeginningSequenceNumber(),
                "last", p.getLastEnqueuedSequenceNumber(),
                "lastOffset", p.getLastEnqueuedOffset(),
                "lastEnqueuedMs", p.getLastEnqueuedTime().toEpochMilli(),
                "isEmpty", p.isEmpty()));
      }
      return Map.of(
          "name", hub.getName(), "createdMs", hub.getCreatedAt().toEpochMilli(), "partitions", partitions);
    }
  }

  @SuppressWarnings("unchecked")
  private static EventPosition position(Map<String, Object> ask) {
    var start = (Map<String, Object>) ask.get("start");
    var inclusive = Boolean.TRUE.equals(start.get("inclusive"));
    if (start.get("enqueuedMs") instanceof Number ms) {
      return EventPosition.fromEnqueuedTime(Instant.ofEpochMilli(ms.longValue()));
    }
    if (start.get("sequence") instanceof Number sequence) {
      return EventPosition.fromSequenceNumber(sequence.longValue(), inclusive);
    }
    var offset = (String) start.get("offset");
    if (offset.equals("@latest")) return EventPosition.latest();
    return offset.equals("-1") ? EventPosition.earliest() : EventPosition.fromOffsetString(offset);
  }

  private static Map<String, Object> received(PartitionEvent given) {
    var event = given.getData();
    var properties = new HashMap<String, Object>();
    event.getProperties().forEach((name, value) -> properties.put(name, value));
    var answer = new HashMap<String, Object>();
    answer.put("body", event.getBody());
    answer.put("key", event.getPartitionKey());
    answer.put("sequence", event.getSequenceNumber());
    answer.put("offset", event.getOffsetString());
    answer.put("enqueuedMs", event.getEnqueuedTime().toEpochMilli());
    answer.put("messageId", event.getMessageId());
    answer.put("properties", properties);
    return answer;
  }

  private static Map<String, Object> read(Map<String, Object> ask) {
    var events = Collections.synchronizedList(new ArrayList<Map<String, Object>>());
    var options = new ReceiveOptions();
    if (ask.get("level") instanceof Number level) options.setOwnerLevel(level.longValue());
    var count = ((Number) ask.get("count")).intValue();
    var answer = new HashMap<String, Object>();
    answer.put("events", events);
    try (var consumer = client(ask).consumerGroup((String) ask.get("group")).buildAsyncConsumerClient()) {
      consumer
          .receiveFromPartition((String) ask.get("partition"), position(ask), options)
          .take(count)
          .doOnNext(event -> events.add(received(event)))
          .blockLast();
    } catch (RuntimeException error) {
      answer.put("error", error.toString());
    }
    return answer;
  }

  private static Map<String, Object> answer(Map<String, Object> ask) {
    var answer = new HashMap<String, Object>();
    try {
      answer.putAll(
          switch ((String) ask.get("do")) {
            case "send" -> send(ask);
            case "properties" -> properties(ask);
            case "read" -> read(ask);
            default -> throw new IllegalArgumentException("there is no " + ask.get("do"));
          });
    } catch (RuntimeException error) {
      answer.put("error", error.toString());
    }
    answer.put("id", ask.get("id"));
    return answer;
  }

  @SuppressWarnings("unchecked")
  public static void main(String[] args) throws Exception {
    ExecutorService threads = Executors.newCachedThreadPool();
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (var line = lines.readLine(); line != null; line = lines.readLine()) {
      Map<String, Object> ask = json.readValue(line, Map.class);
      threads.execute(
          () -> {
            try {
              var text = json.writeValueAsString(answer(ask));
              synchronized (System.out) {
                System.out.println(text);
              }
            } catch (Exception error) {
              error.printStackTrace();
            }
          });
    }
    System.exit(0);
  }
}
