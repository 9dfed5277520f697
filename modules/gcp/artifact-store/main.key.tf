locals {
  make_key = local.create && var.strict && var.kms_key == null
  kms_key  = local.make_key ? google_kms_crypto_key.this[0].id : var.kms_key

  # A key lies where its bucket does; the multi-region of Europe has another name there.
  key_location = lookup({ "eu" = "europe" }, lower(var.location), lower(var.location))
}

# Key rings and keys are never deleted, so their names are used up: a stack that is destroyed and applied
# again needs new ones.
resource "terraform_data" "key" {
  count = local.make_key ? 1 : 0

  input = local.bucket

  lifecycle {
    precondition {
      condition     = var.storage_agent != null
      error_message = "strict without a kms_key makes one, which Cloud Storage must be able to use: storage_agent names its service account."
    }
  }
}

resource "google_kms_key_ring" "this" {
  count = local.make_key ? 1 : 0

  name     = "${substr(local.bucket, 0, 52)}-${substr(terraform_data.key[0].id, 0, 8)}"
  project  = var.project
  location = local.key_location
}

resource "google_kms_crypto_key" "this" {
  count = local.make_key ? 1 : 0

  name            = "artifacts"
  key_ring        = google_kms_key_ring.this[0].id
  purpose         = "ENCRYPT_DECRYPT"
  rotation_period = "7776000s" # 90 days
  labels          = local.labels

  version_template {
    algorithm        = "GOOGLE_SYMMETRIC_ENCRYPTION"
    protection_level = "SOFTWARE"
  }
}

# Cloud Storage itself uses the key; who reads an object needs no right on it.
resource "google_kms_crypto_key_iam_member" "storage" {
  count = local.make_key ? 1 : 0

  crypto_key_id = google_kms_crypto_key.this[0].id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:${var.storage_agent}"
}
