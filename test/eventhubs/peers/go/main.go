// The Go SDK of Event Hubs as a peer of the tests: what it is asked, and what it answers, says ../Peer.ts.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	eventhubs "github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
)

type start struct {
	Sequence   *int64  `json:"sequence"`
	Offset     *string `json:"offset"`
	EnqueuedMs *int64  `json:"enqueuedMs"`
	Inclusive  bool    `json:"inclusive"`
}

type sent struct {
	Body       []byte         `json:"body"`
	Properties map[string]any `json:"properties"`
}

type sending struct {
	Partition *string `json:"partition"`
	Key       *string `json:"key"`
	Events    []sent  `json:"events"`
}

type ask struct {
	ID         int       `json:"id"`
	Do         string    `json:"do"`
	Connection string    `json:"connection"`
	Sendings   []sending `json:"sendings"`
	Partition  string    `json:"partition"`
	Group      string    `json:"group"`
	Start      start     `json:"start"`
	Count      int       `json:"count"`
	Level      *int64    `json:"level"`
}

type received struct {
	Body       []byte         `json:"body"`
	Key        *string        `json:"key"`
	Sequence   int64          `json:"sequence"`
	Offset     string         `json:"offset"`
	EnqueuedMs int64          `json:"enqueuedMs"`
	MessageID  *string        `json:"messageId"`
	Properties map[string]any `json:"properties"`
}

type answer map[string]any

// Says at the first failure or the second what is wrong.
var retries = eventhubs.RetryOptions{MaxRetries: 1, RetryDelay: 100 * time.Millisecond}

// JSON has one kind of number, and Event Hubs several: what is whole is sent as a long.
func values(properties map[string]any) (map[string]any, error) {
	typed := map[string]any{}
	for name, value := range properties {
		typed[name] = value
		number, isNumber := value.(json.Number)
		if !isNumber {
			continue
		}
		var err error
		if strings.ContainsAny(number.String(), ".eE") {
			typed[name], err = number.Float64()
		} else {
			typed[name], err = number.Int64()
		}
		if err != nil {
			return nil, err
		}
	}
	return typed, nil
}

// Sends events to one place, in as few batches as hold them; gives how many these were.
func sendAll(ctx context.Context, producer *eventhubs.ProducerClient, s sending) (int, error) {
	place := &eventhubs.EventDataBatchOptions{PartitionID: s.Partition, PartitionKey: s.Key}
	batch, err := producer.NewEventDataBatch(ctx, place)
	if err != nil {
		return 0, err
	}
	batches := 1
	for _, each := range s.Events {
		properties, err := values(each.Properties)
		if err != nil {
			return 0, err
		}
		event := &eventhubs.EventData{Body: each.Body, Properties: properties}
		err = batch.AddEventData(event, nil)
		if errors.Is(err, eventhubs.ErrEventDataTooLarge) && batch.NumEvents() > 0 {
			if err = producer.SendEventDataBatch(ctx, batch, nil); err != nil {
				return 0, err
			}
			batches++
			if batch, err = producer.NewEventDataBatch(ctx, place); err != nil {
				return 0, err
			}
			err = batch.AddEventData(event, nil)
		}
		if err != nil {
			return 0, err
		}
	}
	return batches, producer.SendEventDataBatch(ctx, batch, nil)
}

func send(ctx context.Context, a ask) (answer, error) {
	options := &eventhubs.ProducerClientOptions{RetryOptions: retries}
	producer, err := eventhubs.NewProducerClientFromConnectionString(a.Connection, "", options)
	if err != nil {
		return nil, err
	}
	defer producer.Close(ctx)
	total := 0
	for _, s := range a.Sendings {
		batches, err := sendAll(ctx, producer, s)
		if err != nil {
			return nil, err
		}
		total += batches
	}
	return answer{"batches": total}, nil
}

func consumerOf(a ask, group string) (*eventhubs.ConsumerClient, error) {
	options := &eventhubs.ConsumerClientOptions{RetryOptions: retries}
	return eventhubs.NewConsumerClientFromConnectionString(a.Connection, "", group, options)
}

func properties(ctx context.Context, a ask) (answer, error) {
	consumer, err := consumerOf(a, eventhubs.DefaultConsumerGroup)
	if err != nil {
		return nil, err
	}
	defer consumer.Close(ctx)
	hub, err := consumer.GetEventHubProperties(ctx, nil)
	if err != nil {
		return nil, err
	}
	partitions := []answer{}
	for _, id := range hub.PartitionIDs {
		p, err := consumer.GetPartitionProperties(ctx, id, nil)
		if err != nil {
			return nil, err
		}
		partitions = append(partitions, answer{
			"id":             p.PartitionID,
			"first":          p.BeginningSequenceNumber,
			"last":           p.LastEnqueuedSequenceNumber,
			"lastOffset":     p.LastEnqueuedOffset,
			"lastEnqueuedMs": p.LastEnqueuedOn.UnixMilli(),
			"isEmpty":        p.IsEmpty,
		})
	}
	return answer{"name": hub.Name, "createdMs": hub.CreatedOn.UnixMilli(), "partitions": partitions}, nil
}

func positionOf(s start) eventhubs.StartPosition {
	position := eventhubs.StartPosition{SequenceNumber: s.Sequence, Inclusive: s.Inclusive}
	yes := true
	switch {
	case s.Offset != nil && *s.Offset == "-1":
		position.Earliest = &yes
	case s.Offset != nil && *s.Offset == "@latest":
		position.Latest = &yes
	default:
		position.Offset = s.Offset
	}
	if s.EnqueuedMs != nil {
		time := time.UnixMilli(*s.EnqueuedMs)
		position.EnqueuedTime = &time
	}
	return position
}

func read(ctx context.Context, a ask) (answer, error) {
	consumer, err := consumerOf(a, a.Group)
	if err != nil {
		return nil, err
	}
	defer consumer.Close(ctx)
	options := &eventhubs.PartitionClientOptions{StartPosition: positionOf(a.Start), OwnerLevel: a.Level}
	partition, err := consumer.NewPartitionClient(a.Partition, options)
	if err != nil {
		return nil, err
	}
	defer partition.Close(ctx)
	events := []received{}
	for len(events) < a.Count {
		some, err := partition.ReceiveEvents(ctx, 1, nil)
		if err != nil {
			return answer{"events": events, "error": err.Error()}, nil
		}
		for _, event := range some {
			events = append(events, received{
				Body:       event.Body,
				Key:        event.PartitionKey,
				Sequence:   event.SequenceNumber,
				Offset:     event.Offset,
				EnqueuedMs: event.EnqueuedTime.UnixMilli(),
				MessageID:  event.MessageID,
				Properties: event.Properties,
			})
		}
	}
	return answer{"events": events}, nil
}

func main() {
	commands := map[string]func(context.Context, ask) (answer, error){
		"send": send, "properties": properties, "read": read,
	}
	var saying sync.Mutex
	say := json.NewEncoder(os.Stdout)
	decoder := json.NewDecoder(bufio.NewReader(os.Stdin))
	decoder.UseNumber()
	for {
		var a ask
		if decoder.Decode(&a) != nil {
			return
		}
		go func() {
			reply, err := commands[a.Do](context.Background(), a)
			if err != nil {
				reply = answer{"error": err.Error()}
			}
			reply["id"] = a.ID
			saying.Lock()
			defer saying.Unlock()
			_ = say.Encode(reply)
		}()
	}
}
