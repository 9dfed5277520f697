# To EventBridge: whoever wants to hear of an object adds a rule there; nothing here has to know of it.
resource "aws_s3_bucket_notification" "this" {
  count = var.strict ? 1 : 0

  bucket      = aws_s3_bucket.this[0].bucket
  eventbridge = true
}

resource "aws_s3_bucket_notification" "logs" {
  count = var.strict ? 1 : 0

  bucket      = aws_s3_bucket.logs[0].bucket
  eventbridge = true
}
