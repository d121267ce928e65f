// Prints the messages of topic-1/channel-1 with go-nsq: `consume NSQD [COUNT]`, for ever or so many.
package main

import (
	"fmt"
	"log"
	"os"
	"strconv"

	"github.com/nsqio/go-nsq"
)

func main() {
	address, left := "127.0.0.1:4150", -1
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	if len(os.Args) > 2 {
		left, _ = strconv.Atoi(os.Args[2])
	}
	config := nsq.NewConfig()
	config.MaxInFlight = 200
	consumer, err := nsq.NewConsumer("topic-1", "channel-1", config)
	if err != nil {
		log.Fatal(err)
	}
	consumer.AddHandler(nsq.HandlerFunc(func(message *nsq.Message) error {
		fmt.Println(string(message.Body))
		if left--; left == 0 {
			consumer.Stop()
		}
		return nil
	}))
	if err := consumer.ConnectToNSQD(address); err != nil {
		log.Fatal(err)
	}
	<-consumer.StopChan
}
