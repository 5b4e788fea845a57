"""All contact with Kafka: topics, logs read and written, exactly and in bounds."""
